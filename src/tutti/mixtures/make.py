"""Writing mixtures: sound, labels, manifest, provenance and datasheet."""

import io
import json
import logging
import tarfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from tutti import provenance
from tutti.config import MixParams
from tutti.datasets.manifest import COLUMNS, SPLITS, label_row, save_manifest
from tutti.files import atomic_folder, sha256_bytes, write_text
from tutti.labels import OPENMIC
from tutti.mixtures.datasheet import datasheet
from tutti.mixtures.plan import MixPlan, Part, Rendered
from tutti.mixtures.sounds import NoteSounds
from tutti.mixtures.sources import choose_generator
from tutti.mixtures.workers import Workshop, default_workers, make_all
from tutti.progress import track

log = logging.getLogger(__name__)

#: The archive of the mixtures' FLAC members, beside their manifest.
ARCHIVE = "mixtures.tar"


def make_mixtures(
    data: Path,
    manifest: pd.DataFrame,
    params: MixParams,
    seed: int,
    out: Path,
    *,
    notes: bool,
    manifest_sha256: str,
    workers: int | None = None,
) -> dict[str, Any]:
    """Writes a run's mixtures: the folder ``out`` appears whole or not at all.

    Args:
        data: The data root.
        manifest: The validated manifest.
        params: Number, length, rate and manner of the mixtures.
        seed: The seed.
        out: The folder: mixtures.tar (FLAC, 16 bit), manifest.parquet, labels.csv, provenance.json, datasheet.md.
        notes: Whether the run names a folder of notes.
        manifest_sha256: Digest of the manifest's file, for the provenance.
        workers: Processes that share the work, None for as many as it is worth. They make no difference to any byte.

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
            count = len(generator)
            wanted = {note.clip_id: note for index in range(count) for note in generator.plan(index).notes()}
            spool = folder / "notes.spool"
            workshop = Workshop(
                generator.renderer, NoteSounds(data, wanted.values(), params.sample_rate, spool), params.sample_rate
            )
            plans = (generator.plan(index) for index in range(count))
            mixed = make_all(workshop, plans, default_workers(count) if workers is None else workers)
            for index, (plan, made) in enumerate(track(mixed, "mixing", total=count, unit="mixtures")):
                name = f"mix_{index:05d}.flac"
                _add_member(archive, name, made.flac)
                rows.append(_manifest_row(name, plan, made.rendered, made.flac, params))
                labels.append(_label_row(name, plan, made.rendered))
                recipes.write((",\n" if index else "\n") + json.dumps(_recipe(name, plan, made.rendered)))
            spool.unlink()
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


def _add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Adds a file whose header holds neither times nor owners, so that the same sounds give the same archive."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def _manifest_row(name: str, plan: MixPlan, found: Rendered, encoded: bytes, params: MixParams) -> dict[str, Any]:
    labels, mask = label_row(found.present, found.absent)
    return {
        "clip_id": f"mixtures/{Path(name).stem}",
        "dataset": "mixtures",
        "path": f"{ARCHIVE}!{name}",
        "start_s": 0.0,
        "duration_s": round(params.duration_s * params.sample_rate) / params.sample_rate,
        "split": plan.split,
        # All mixtures of a split may share notes, so they are one group.
        "group": f"mixtures-{plan.split}",
        "native_labels": ";".join(found.sounding),
        "labels": labels,
        "mask": mask,
        "sha256": sha256_bytes(encoded),
        "sample_rate": params.sample_rate,
        "channels": 1 if plan.scene is None else params.musical.channels,
    }


def _label_row(name: str, plan: MixPlan, found: Rendered) -> dict[str, Any]:
    row: dict[str, Any] = {"filename": name, "polyphony": len(found.sounding), "chosen_families": ",".join(plan.chosen)}
    for index, instrument in enumerate(OPENMIC):
        row[f"y_{instrument}"] = int(index in found.present)
        row[f"m_{instrument}"] = int(index in found.present or index in found.absent)
    return row


def _labels_frame(labels: list[dict[str, Any]]) -> pd.DataFrame:
    columns = ["filename", "polyphony", "chosen_families"]
    return pd.DataFrame(labels, columns=columns + [f"{kind}_{name}" for name in OPENMIC for kind in "ym"])


def _recipe(name: str, plan: MixPlan, found: Rendered) -> dict[str, Any]:
    """Every source note of a mixture with its gain and place, and what the instruments share."""
    recipe = {"filename": name, "split": plan.split, "parts": [_part(part, found) for part in plan.parts]}
    if plan.scene is not None:
        recipe["scene"] = _rounded(asdict(plan.scene))
    return recipe


def _part(part: Part, found: Rendered) -> dict[str, Any]:
    described: dict[str, Any] = {"label": part.label, "gain_db": round(part.gain_db, 6)}
    if part.place is not None:
        described |= {"sounds": part.label in found.sounding, "place": _rounded(asdict(part.place))}
    described["notes"] = [
        {
            "clip_id": event.note.clip_id,
            "path": event.note.path,
            **_rounded({key: getattr(event, key) for key in ("onset_s", "offset_s", "length_s", "gain_db", "shift")}),
        }
        for event in part.events
    ]
    return described


def _rounded(value: Any) -> Any:
    """Numbers within dictionaries and lists, as short as they can be without losing a sample."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value
