"""What a run's mixtures are made from: pools of notes by label, and the generator that draws from them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tutti.config import MixParams
from tutti.datasets.manifest import SPLITS
from tutti.errors import DataError
from tutti.labels import IRMAS, NSYNTH_TO_OPENMIC, OPENMIC
from tutti.mixtures.musical import MusicalGenerator
from tutti.mixtures.pitch import is_phrase, pitch_of
from tutti.mixtures.plan import Generator, Note, Pool
from tutti.mixtures.published import PublishedGenerator


def choose_generator(
    manifest: pd.DataFrame, params: MixParams, seed: int, *, notes: bool
) -> tuple[Generator | None, str]:
    """The generator for a run.

    One's own notes come first: mixtures of them are then what is trained, validated and tested on. Otherwise NSynth's
    train notes give training mixtures. With ``mix.musical.irmas``, the excerpts of IRMAS' training part play beside
    them in training mixtures.

    Args:
        manifest: The validated manifest.
        params: Number, length, rate and manner of the mixtures.
        seed: The seed.
        notes: Whether the run names a folder of notes (``data.notes``).

    Returns:
        The generator, or None for no mixtures; and what it draws from, or why there is none.

    Raises:
        DataError: A dataset that the parameters ask for is not in the manifest, or a needed pool is empty.
        ConfigError: The parameters ask for the impossible.
    """
    if params.per_polyphony == 0:
        return None, "mix.per_polyphony is 0"
    dataset = manifest["dataset"]
    pools: dict[str, Pool] = {}
    sources = []
    if notes:
        rows = manifest[dataset == "notes"]
        if not len(rows):
            raise DataError(
                "data.notes names a folder, but the manifest has no notes", hint="run the validate step again"
            )
        for split in SPLITS:
            inside = rows[rows["split"] == split]
            pools[split] = notes_by_label(inside, class_names(inside))
        sources.append("the folder that data.notes names")
    elif (dataset == "nsynth").any():
        rows = manifest[(dataset == "nsynth") & (manifest["split"] == "train")]
        if params.generator == "published":
            return PublishedGenerator(notes_by_label(rows, rows["native_labels"]), params, seed), "NSynth's train split"
        labels = [NSYNTH_TO_OPENMIC.get(family, family) for family in rows["native_labels"]]
        pools["train"] = notes_by_label(rows, labels)
        sources.append("NSynth's train split")
    if params.musical.irmas and (notes or params.generator == "musical"):
        rows = manifest[(dataset == "irmas") & (manifest["split"] == "train")]
        if not len(rows):
            raise DataError(
                "mix.musical.irmas asks for IRMAS' excerpts, but the manifest has none",
                hint="name the dataset under data.irmas, or set mix.musical.irmas to false",
            )
        excerpts = notes_by_label(rows, [IRMAS[code] for code in rows["native_labels"]])
        train = pools.setdefault("train", {})
        for label, found in excerpts.items():
            train[label] = train.get(label, []) + found
        sources.append("IRMAS' training excerpts")
    if not sources:
        return None, "the run has neither NSynth nor a folder of notes to mix"
    return MusicalGenerator(pools, params, seed), " and ".join(sources)


def notes_by_label(rows: pd.DataFrame, labels: Iterable[str]) -> Pool:
    """Notes of manifest rows by label, in the manifest's order; their pitch is what their name tells.

    Args:
        rows: Manifest rows.
        labels: Label of each row.
    """
    pool: Pool = {}
    columns = ("clip_id", "dataset", "path", "start_s", "duration_s", "group", "sample_rate")
    cells = zip(labels, *(rows[column] for column in columns), strict=True)
    for label, clip_id, dataset, path, start_s, duration_s, group, sample_rate in cells:
        # IRMAS' excerpts are music; the letters and digits of their names mean other things.
        excerpt = dataset == "irmas"
        name = clip_id.rpartition("/")[2]
        pitch = None if excerpt else pitch_of(name)
        phrase = excerpt or is_phrase(name, pitch, duration_s)
        note = Note(clip_id, path, start_s, duration_s, group, int(sample_rate), pitch, phrase)
        pool.setdefault(label, []).append(note)
    return pool


def class_names(rows: pd.DataFrame) -> list[str]:
    """The class that each labelled note is certain to have: the first whose relevance is largest and was asked."""
    return [
        OPENMIC[int(np.argmax(np.where(mask, labels, -1.0)))]
        for labels, mask in zip(rows["labels"], rows["mask"], strict=True)
    ]
