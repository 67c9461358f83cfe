"""Which mixtures a run gets, and writing them: sound, labels, manifest, provenance and datasheet."""

import io
import json
import logging
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

from tutti import provenance
from tutti.config import MixParams
from tutti.datasets.manifest import COLUMNS, SPLITS, label_row, save_manifest
from tutti.errors import DataError
from tutti.files import atomic_folder, sha256_bytes, write_text
from tutti.labels import OPENMIC
from tutti.mixtures.datasheet import datasheet
from tutti.mixtures.layered import LayeredGenerator
from tutti.mixtures.plan import NSYNTH_CLASSES, OPENMIC_CLASSES, Generator, MixPlan, class_names, notes_by_label
from tutti.mixtures.published import PublishedGenerator
from tutti.mixtures.sounds import NoteSounds
from tutti.progress import track

log = logging.getLogger(__name__)

#: The archive of the mixtures' FLAC members, beside their manifest.
ARCHIVE = "mixtures.tar"


def choose_generator(
    manifest: pd.DataFrame, params: MixParams, seed: int, *, notes: bool
) -> tuple[Generator | None, str]:
    """The generator for a run.

    One's own notes come first: mixtures of them are then what is trained, validated and tested on. Otherwise NSynth's
    train notes give training mixtures.

    Args:
        manifest: The validated manifest.
        params: Number, length, rate and gains of the mixtures.
        seed: The seed.
        notes: Whether the run names a folder of notes (``data.notes``).

    Returns:
        The generator, or None for no mixtures; and what it draws from, or why there is none.

    Raises:
        DataError: ``notes`` is set and the manifest has none, or a needed pool is empty.
        ConfigError: The parameters ask for the impossible.
    """
    if params.per_polyphony == 0:
        return None, "mix.per_polyphony is 0"
    if notes:
        rows = manifest[manifest["dataset"] == "notes"]
        if not len(rows):
            raise DataError(
                "data.notes names a folder, but the manifest has no notes", hint="run the validate step again"
            )
        pools = {}
        for split in SPLITS:
            inside = rows[rows["split"] == split]
            pools[split] = notes_by_label(inside, class_names(inside))
        return LayeredGenerator(pools, OPENMIC_CLASSES, params, seed), "the folder that data.notes names"
    rows = manifest[(manifest["dataset"] == "nsynth") & (manifest["split"] == "train")]
    if not (manifest["dataset"] == "nsynth").any():
        return None, "the run has neither NSynth nor a folder of notes to mix"
    pool = notes_by_label(rows, rows["native_labels"])
    if params.generator == "layered":
        return LayeredGenerator({"train": pool}, NSYNTH_CLASSES, params, seed), "NSynth's train split"
    return PublishedGenerator(pool, params, seed), "NSynth's train split"


def make_mixtures(
    data: Path, manifest: pd.DataFrame, params: MixParams, seed: int, out: Path, *, notes: bool, manifest_sha256: str
) -> dict[str, Any]:
    """Writes a run's mixtures: the folder ``out`` appears whole or not at all.

    Args:
        data: The data root.
        manifest: The validated manifest.
        params: Number, length, rate and gains of the mixtures.
        seed: The seed.
        out: The folder: mixtures.tar (FLAC, mono, 16 bit), manifest.parquet, labels.csv, provenance.json, datasheet.md.
        notes: Whether the run names a folder of notes.
        manifest_sha256: Digest of the manifest's file, for the provenance.

    Returns:
        JSON-able summary: generator, source, mixtures per split.

    Raises:
        DataError: As `choose_generator`, or a note's file is missing.
        AudioDecodeError: A note does not decode.
    """
    generator, source = choose_generator(manifest, params, seed, notes=notes)
    if generator is None:
        log.warning("no mixtures: %s", source)
    rows: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    with (
        atomic_folder(out) as folder,
        tarfile.open(folder / ARCHIVE, "w", format=tarfile.USTAR_FORMAT) as archive,
        open(folder / "provenance.json", "w", encoding="utf-8") as recipes,
    ):
        # Written while mixing, a line per mixture: there are many, and each names all its notes.
        recipes.write('{"recipes": [')
        if generator is not None:
            # Plans are cheap and made twice rather than kept: first for the notes they need, then to render.
            wanted = {note.clip_id: note for index in range(len(generator)) for note in generator.plan(index).notes()}
            with NoteSounds(data, wanted.values(), params.sample_rate, folder) as sounds:
                for index in track(range(len(generator)), "mixing", unit="mixtures"):
                    plan = generator.plan(index)
                    name = f"mix_{index:05d}.flac"
                    encoded = _flac(generator.render(plan, sounds), params.sample_rate)
                    _add_member(archive, name, encoded)
                    rows.append(_manifest_row(name, plan, encoded, params))
                    labels.append(_label_row(name, plan))
                    recipes.write((",\n" if index else "\n") + json.dumps(_recipe(name, plan)))
        counts = Counter(row["split"] for row in rows)
        summary: dict[str, Any] = {
            "generator": None if generator is None else generator.name,
            "source": source,
            "mixtures": {split: counts[split] for split in SPLITS},
        }
        save_manifest(pd.DataFrame(rows, columns=list(COLUMNS)), folder / "manifest.parquet")
        _labels_frame(labels).to_csv(folder / "labels.csv", index=False, lineterminator="\n")
        made_with = provenance.record(
            params=params.model_dump(mode="json"), data={"manifest": manifest_sha256}, seed=seed
        )
        pools = {} if generator is None else generator.describe()
        rest = json.dumps({**summary, "pools": pools, **made_with}, indent=2, allow_nan=False)
        recipes.write(f"\n],\n{rest.removeprefix('{').lstrip()}\n")
        write_text(folder / "datasheet.md", datasheet(summary, pools, params, labels, seed))
    log.info("%d mixtures of %s", len(rows), source)
    return summary


def _flac(samples: np.ndarray, sample_rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.round(samples * 32767.0).astype(np.int16), sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a file whose header holds neither times nor owners, so that the same sounds give the same archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _manifest_row(name: str, plan: MixPlan, encoded: bytes, params: MixParams) -> dict[str, Any]:
    labels, mask = label_row(plan.present, plan.absent)
    return {
        "clip_id": f"mixtures/{Path(name).stem}",
        "dataset": "mixtures",
        "path": f"{ARCHIVE}!{name}",
        "start_s": 0.0,
        "duration_s": round(params.duration_s * params.sample_rate) / params.sample_rate,
        "split": plan.split,
        # All mixtures of a split may share notes, so they are one group.
        "group": f"mixtures-{plan.split}",
        "native_labels": ";".join(plan.chosen),
        "labels": labels,
        "mask": mask,
        "sha256": sha256_bytes(encoded),
        "sample_rate": params.sample_rate,
        "channels": 1,
    }


def _label_row(name: str, plan: MixPlan) -> dict[str, Any]:
    row: dict[str, Any] = {"filename": name, "polyphony": len(plan.parts), "chosen_families": ",".join(plan.chosen)}
    for index, instrument in enumerate(OPENMIC):
        row[f"y_{instrument}"] = int(index in plan.present)
        row[f"m_{instrument}"] = int(index in plan.present or index in plan.absent)
    return row


def _labels_frame(labels: list[dict[str, Any]]) -> pd.DataFrame:
    columns = ["filename", "polyphony", "chosen_families"]
    return pd.DataFrame(labels, columns=columns + [f"{kind}_{name}" for name in OPENMIC for kind in "ym"])


def _recipe(name: str, plan: MixPlan) -> dict[str, Any]:
    """Every source note of a mixture with its gain and place."""
    return {
        "filename": name,
        "split": plan.split,
        "parts": [
            {
                "label": part.label,
                "gain_db": round(part.gain_db, 6),
                "notes": [
                    {
                        "clip_id": event.note.clip_id,
                        "onset_s": round(event.onset_s, 6),
                        "offset_s": round(event.offset_s, 6),
                        "length_s": round(event.length_s, 6),
                        "gain_db": round(event.gain_db, 6),
                    }
                    for event in part.events
                ],
            }
            for part in plan.parts
        ],
    }
