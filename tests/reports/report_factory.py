"""Writes everything the report reads, in the steps' formats, with plausible random numbers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tutti.audio.windows import WindowPolicy
from tutti.bag import Bag, Member, write_bag
from tutti.bundle import WEIGHTS, Contract
from tutti.datasets.manifest import COLUMNS, save_manifest
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import Predictions, save_predictions
from tutti.labels import OPENMIC
from tutti.models import get_model

MODELS = {"cbam_cnn": 0.3, "passt": 0.7, "rf": 0.5}  # name: how well it tells present from absent

PROVENANCE = {
    "seed": 42,
    "params": {},
    "data": {"manifest": "ab" * 32},
    "git_revision": "f" * 40,
    "versions": {"python": "3.11.7", "torch": "2.13.0"},
}


def _labels(random: np.random.Generator, clips: int, asked: float) -> tuple[np.ndarray, np.ndarray]:
    mask = random.random((clips, len(OPENMIC))) < asked
    labels = np.where(mask, np.where(random.random(mask.shape) < 0.45, 0.9, 0.1), 0.5).astype(np.float32)
    return labels, mask


def _manifest(random: np.random.Generator, dataset: str, splits: dict[str, int], asked: float) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for split, clips in splits.items():
        labels, mask = _labels(random, clips, asked)
        for index in range(clips):
            number = len(rows)
            rows.append(
                {
                    "clip_id": f"{dataset}/{number:06d}_0",
                    "dataset": dataset,
                    "path": f"{dataset}/{number:06d}.ogg",
                    "start_s": 0.0,
                    "duration_s": 10.0,
                    "split": split,
                    "group": f"{split}-{number % 7}",
                    "native_labels": "",
                    "labels": labels[index],
                    "mask": mask[index],
                    "sha256": f"{number:064x}",
                    "sample_rate": 44100,
                    "channels": 2,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def _predictions(random: np.random.Generator, manifest: pd.DataFrame, skill: float) -> pd.DataFrame:
    rows = manifest[manifest["dataset"].eq("openmic") & manifest["split"].isin(["valid", "test"])].copy()
    labels = np.stack(rows["labels"].to_list())
    logits = skill * np.where(labels > 0.5, 1, -1) + random.normal(0, 1.2, labels.shape) - 0.2
    rows["probabilities"] = list((1 / (1 + np.exp(-logits))).astype(np.float32))
    rows["synthetic"] = True
    return rows[["clip_id", "group", "dataset", "split", "synthetic", "probabilities", "labels", "mask"]]


def _write_scores(folder: Path, name: str, predictions: pd.DataFrame, thresholds: list[float]) -> None:
    folder.mkdir(parents=True)
    save_predictions(
        Predictions(
            names=OPENMIC,
            frame=np.zeros(len(predictions), np.int32),
            **{name: predictions[name].to_numpy(object) for name in ("clip_id", "group", "dataset", "split")},
            synthetic=predictions["synthetic"].to_numpy(bool),
            **{name: np.stack(predictions[name].to_list()) for name in ("probabilities", "labels", "mask")},
        ),
        folder / "predictions.parquet",
    )
    metrics: dict[str, Any] = {
        "model": name, "preset": "mini", "data": {"name": "openmic", "synthetic": True, "sha256": "ab" * 32},
    }  # fmt: skip
    classes = []
    for split in ("valid", "test"):
        rows = predictions[predictions["split"] == split]
        arrays = [np.stack(rows[column].to_list()) for column in ("probabilities", "labels", "mask")]
        found = masked_metrics(*arrays, np.array(thresholds), names=OPENMIC)
        metrics[split] = found.to_dict()
        for key in ("map", "f1_macro_two_class"):
            value = metrics[split][key]
            metrics[split][f"{key}_low"], metrics[split][f"{key}_high"] = value - 0.06, min(1.0, value + 0.05)
        classes += [{**row.to_dict(), "split": split} for row in found.per_class]
    _write(folder / "evaluation.json", metrics)
    pd.DataFrame(classes).to_csv(folder / "per_class.csv", index=False)


def _write_model(folder: Path, name: str, random: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    entry = get_model(name)
    front_end = entry.preset("mini").front_end
    contract = Contract(
        model=name,
        family=entry.family,
        preset="mini",
        front_end=front_end.model_dump(mode="json"),
        front_end_digest=front_end.digest(),
        window=WindowPolicy(),
        labels=OPENMIC,
        thresholds=(0.5,) * len(OPENMIC),
        files={WEIGHTS[entry.family]: "cd" * 32},
        metrics={"map": 0.7},
        started_from="irmas-9 pretraining" if name == "cbam_cnn" else "random",
        provenance=PROVENANCE,
    )
    (folder / "contract.json").write_text(contract.model_dump_json(), encoding="utf-8")
    if entry.family == "network":
        epochs = np.arange(1, 13)
        pd.DataFrame(
            {
                "epoch": epochs,
                "train_loss": 0.7 * np.exp(-epochs / 9) + random.normal(0, 0.01, len(epochs)),
                "valid_loss": 0.5 + 0.2 * np.exp(-epochs / 4) + random.normal(0, 0.01, len(epochs)),
                "valid_map": 0.75 - 0.3 * np.exp(-epochs / 4) + random.normal(0, 0.01, len(epochs)),
            }
        ).to_csv(folder / "history.csv", index=False)


def write_run(root: Path, *, mixtures: bool = True, smoke: bool = True, seed: int = 0) -> dict[str, Path]:
    """Makes a run below ``root``; returns the report's inputs by name."""
    random = np.random.default_rng(seed)
    manifest = pd.concat(
        [
            _manifest(random, "openmic", {"train": 240, "valid": 60, "test": 100}, 0.12),
            _manifest(random, "irmas", {"train": 20, "valid": 5}, 0.0),
        ],
        ignore_index=True,
    )
    folder = root / "artifacts/manifest"
    save_manifest(manifest, folder / "manifest.parquet")
    facts = {
        "clips": 400, "hours": 1.1, "synthetic": True, "description": "Rendered clips in OpenMIC-2018's layout",
        "licence": "MIT", "citation": "Humphrey, Durand, McFee, ISMIR 2018", "archives": {"openmic.tgz": "ef" * 32},
    }  # fmt: skip
    irmas = {
        **facts,
        "single_source_classes": ["mallet_percussion"],
        "clips": 25,
        "hours": 0.02,
        "description": "Rendered notes in IRMAS' layout",
    }
    _write(folder / "datasets.json", {"openmic": facts, "irmas": irmas})
    mixed = root / "artifacts/mixtures"
    mixed.mkdir(parents=True)
    if mixtures:
        table = _manifest(random, "mixtures", {"train": 110}, 0.4)
        save_manifest(table, mixed / "manifest.parquet")
        polyphony = np.repeat(np.arange(1, 12), 10)
        pd.DataFrame({"filename": [f"mix_{i:05d}.wav" for i in range(110)], "polyphony": polyphony}).to_csv(
            mixed / "labels.csv", index=False
        )
    evaluations = root / "artifacts/evaluation"
    for name, skill in MODELS.items():
        predictions = _predictions(random, manifest, skill)
        _write_scores(evaluations / name, name, predictions, [0.5] * 20)
        _write_model(root / "artifacts/models" / name, name, random)
    ensemble = root / "artifacts/ensemble"
    thresholds = [(0.3, 0.4, 0.5, 0.6)[index % 4] for index in range(20)]
    _write_scores(ensemble, "ensemble", _predictions(random, manifest, 0.9), thresholds)
    weights = {"cbam_cnn": 0.2, "passt": 0.5, "rf": 0.3}
    members = [Member(name=n, path=f"members/{n}", digest="aa" * 32, weight=w) for n, w in weights.items()]
    bag = Bag(
        name="tutti",
        version="1.0",
        members=tuple(members),
        thresholds=dict(zip(OPENMIC, thresholds, strict=True)),
        labels=OPENMIC,
        window=WindowPolicy(),
        metrics={"map": 0.8},
        data={"name": "openmic", "synthetic": True, "sha256": "ab" * 32},
        provenance={**PROVENANCE, "params": {"select": {"threshold_metric": "f1_macro_two_class"}}},
    )
    write_bag(ensemble, bag)
    grid = [(a / 10, b / 10, (10 - a - b) / 10) for a in range(11) for b in range(11 - a)]
    search = pd.DataFrame(grid, columns=[f"weight_{name}" for name in MODELS])
    search["map"] = 0.8 - 0.2 * ((search.to_numpy() - np.array([0.2, 0.5, 0.3])) ** 2).sum(axis=1)
    search.to_csv(ensemble / "search.csv", index=False)
    _write(
        root / "reports/validation.json",
        {"success": True, "expectations": [{"name": "clip ids are unique", "success": True}]},
    )
    _write(root / "reports/decision.json", {"passed": True, "reasons": ["mAP 0.81 >= 0.5"]})
    if smoke:
        answer = {"passed": True, "reasons": [], "tolerance": 1e-4, "max_difference": 2e-6, "requests": 9}
        _write(root / "reports/smoke.json", answer)
    return {
        "manifest": folder,
        "validation": root / "reports/validation.json",
        "mixtures": mixed,
        "models": root / "artifacts/models",
        "evaluations": evaluations,
        "ensemble": ensemble,
        "decision": root / "reports/decision.json",
        "smoke": root / "reports/smoke.json",
    }
