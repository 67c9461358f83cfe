"""Writes everything the page of the published systems reads, in the steps' formats, with plausible random numbers."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.reports.report_factory import PROVENANCE, _manifest
from tutti.bundle import WEIGHTS, Contract
from tutti.datasets.manifest import save_manifest
from tutti.evaluation.metrics import masked_metrics
from tutti.evaluation.predictions import Predictions, save_predictions
from tutti.frontends.base import FrontEndConfig
from tutti.labels import IRMAS_FOUR
from tutti.models import get_model
from tutti.tasks import get_task

#: Registered model: how well it tells present from absent.
OPENMIC_MODELS = {
    "ast_bs": 0.2, "cnn_bs": 0.15, "ast_nrp": 0.35, "ast_cnnrp": 0.7, "rf": 0.7, "ast_urp": 0.9, "ast_tl": 0.85,
    "mean_teacher": 0.9, "passt": 0.9, "passt_real": 0.7, "ms_crnn": 0.6, "cbam_cnn": 0.4,
}  # fmt: skip
IRMAS_MODELS = ("cnn1d_stage1", "rf_waveform", "cnn1d_stage2", "tl_classifier", "rf_waveform_pairs")
FRAME_MODELS = ("mfcc_cnn", "mfcc_transformer")

_PAIRS = list(combinations(range(4), 2))
_SPLITS = {"valid": 40, "test": 90}


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def predictions(task: str, labels: np.ndarray, mask: np.ndarray, probabilities: np.ndarray, **columns) -> Predictions:
    """Rows of one dataset, ``columns`` in place of the plain ones."""
    rows = len(labels)
    plain = {
        "clip_id": np.array([f"clip/{row:04d}" for row in range(rows)], object),
        "frame": np.zeros(rows, np.int32),
        "group": np.array([f"group-{row % 9}" for row in range(rows)], object),
        "dataset": np.full(rows, "openmic", object),
        "split": np.array(["valid"] * (rows // 3) + ["test"] * (rows - rows // 3), object),
        "synthetic": np.ones(rows, bool),
    }
    return Predictions(
        names=get_task(task).labels,
        probabilities=probabilities.astype(np.float32),
        labels=labels.astype(np.float32),
        mask=mask,
        **{**plain, **columns},
    )


def write_contract(folder: Path, registry: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    entry = get_model(registry)
    preset, labels = entry.preset("mini"), get_task(entry.task).labels
    contract = Contract(
        model=registry,
        family=entry.family,
        task=entry.task,
        preset="mini",
        front_end=preset.front_end.model_dump(mode="json"),
        front_end_digest=preset.front_end.digest(),
        window=preset.window,
        labels=labels,
        thresholds=(0.5,) * len(labels),
        files={WEIGHTS[entry.family]: "cd" * 32},
        metrics={"map": 0.7},
        started_from="random",
        provenance=PROVENANCE,
    )
    (folder / "contract.json").write_text(contract.model_dump_json(), encoding="utf-8")


def write_evaluation(folder: Path, found: Predictions) -> dict[str, Any]:
    """An evaluation folder; returns its document."""
    folder.mkdir(parents=True, exist_ok=True)
    save_predictions(found, folder / "predictions.parquet")
    document: dict[str, Any] = {
        "model": folder.name, "preset": "mini", "digest": "ab" * 32,
        "data": {"name": "openmic", "synthetic": True, "sha256": "ab" * 32},
    }  # fmt: skip
    for split in ("valid", "test"):
        part = found.of(split)
        document[split] = masked_metrics(part.probabilities, part.labels, part.mask, 0.5, names=part.names).to_dict()
    write_json(folder / "evaluation.json", document)
    return document


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def _history(folder: Path, columns: tuple[str, ...], random: np.random.Generator) -> None:
    epochs = np.arange(1, 11)
    table = {"epoch": epochs, "learning_rate": 1e-3}
    table["train_loss"] = 0.7 * np.exp(-epochs / 6) + random.normal(0, 0.01, 10)
    table["valid_loss"] = 0.4 + 0.3 * np.exp(-epochs / 3) + random.normal(0, 0.01, 10)
    for place, column in enumerate(columns):
        table[f"valid_{column}"] = 0.8 - 0.1 * place - 0.4 * np.exp(-epochs / 3) + random.normal(0, 0.02, 10)
    pd.DataFrame(table).to_csv(folder / "history.csv", index=False)


def _openmic(root: Path, random: np.random.Generator) -> None:
    rows = sum(_SPLITS.values())
    mask = random.random((rows, 20)) < 0.3
    labels = np.where(mask, np.where(random.random(mask.shape) < 0.45, 0.9, 0.1), 0.5)
    prior = random.normal(0, 0.6, 20)
    for name, skill in OPENMIC_MODELS.items():
        logits = 2 * skill * np.where(labels > 0.5, 1, -1) + random.normal(0, 1.2, labels.shape) + prior * (1 - skill)
        registry = "passt" if name == "passt_real" else name
        found = predictions("openmic-20", labels, mask, _sigmoid(logits))
        document = write_evaluation(root / "artifacts/evaluation" / name, found)
        write_contract(root / "artifacts/models" / name, registry)
        if registry != "rf":
            _history(root / "artifacts/models" / name, ("map", "f1_macro"), random)
        if name in ("ast_bs", "ast_urp", "mean_teacher"):
            value = document["test"]["f1_macro_two_class"]
            table = pd.DataFrame(
                {
                    "seed": np.repeat([42, 43, 44], 2),
                    "split": ["valid", "test"] * 3,
                    "map": 0.7,
                    "f1_macro_two_class": np.repeat(value + np.array([0, 0.012, -0.02]), 2),
                }
            )
            folder = root / "artifacts/repeats" / name
            folder.mkdir(parents=True)
            table.to_csv(folder / "scores.csv", index=False)


def _irmas(root: Path, random: np.random.Generator) -> None:
    for name in IRMAS_MODELS:
        entry = get_model(name)
        task = get_task(entry.task)
        if task.exclusive:
            labels = np.eye(4)[random.integers(0, 4, 130)]
            logits = 1.6 * labels + random.normal(0, 1, labels.shape)
            probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        else:
            labels = np.eye(4)[np.array(_PAIRS)[random.integers(0, 6, 130)]].sum(axis=1)
            probabilities = _sigmoid(1.6 * (labels - 0.5) + random.normal(0, 1, labels.shape))
        found = predictions(
            entry.task, labels, np.ones(labels.shape, bool), probabilities, dataset=np.full(130, "irmas", object)
        )
        write_evaluation(root / "artifacts/evaluation" / name, found)
        write_contract(root / "artifacts/models" / name, name)
        if entry.family == "network":
            _history(root / "artifacts/models" / name, ("accuracy" if task.exclusive else "label_accuracy",), random)


def _frames(random: np.random.Generator, rows: int) -> np.ndarray:
    """Labels of frames in the order of the task: silence, or some of four groups."""
    labels = np.zeros((rows, 12))
    labels[:, [1, 3, 7, 8]] = random.random((rows, 4)) < (0.5, 0.45, 0.1, 0.2)
    labels[:, 0] = labels.sum(axis=1) == 0
    return labels


def _musicnet(root: Path, random: np.random.Generator) -> None:
    rows = 900
    labels = _frames(random, rows)
    for skill, name in enumerate(FRAME_MODELS, start=1):
        found = predictions(
            "musicnet-frames", labels, np.ones(labels.shape, bool),
            _sigmoid(1.5 * skill * (labels - 0.7) + random.normal(0, 1, labels.shape)),
            dataset=np.full(rows, "musicnet", object),
            clip_id=np.array([f"musicnet/{1700 + row // 300}" for row in range(rows)], object),
            frame=np.arange(rows, dtype=np.int32) % 300,
        )  # fmt: skip
        write_evaluation(root / "artifacts/evaluation" / name, found)
        write_contract(root / "artifacts/models" / name, name)
        _history(root / "artifacts/models" / name, ("micro_f1",), random)


def write_set(
    root: Path,
    task: str,
    index: pd.DataFrame,
    labels: np.ndarray,
    front_end: FrontEndConfig | None = None,
    array: np.ndarray | None = None,
) -> None:
    """A feature set with one front end, and its line in features.json."""
    folder = root / "artifacts/features" / task
    folder.mkdir(parents=True)
    index.assign(row=np.arange(len(index)), synthetic=False, start_s=0.0).to_parquet(folder / "index.parquet")
    np.save(folder / "labels.npy", labels.astype(np.float32))
    np.save(folder / "mask.npy", np.ones(labels.shape, bool))
    if front_end is not None and array is not None:
        np.save(folder / f"{front_end.key}.npy", array)
    path = root / "artifacts/features/features.json"
    known = json.loads(path.read_text())["sets"] if path.exists() else {}
    write_json(path, {"sets": {**known, task: {"rows": len(index)}}, "synthetic": ["irmas", "musicnet", "openmic"]})


def _tones(random: np.random.Generator, rows: int, samples: int) -> np.ndarray:
    time = np.arange(samples) / samples
    sound = np.zeros((rows, 2, samples), np.float32)
    for row in range(rows):
        for channel in range(2):
            wave = np.sin(2 * np.pi * random.uniform(150, 500) * time) * np.exp(-3 * ((time * 4) % 1))
            wave += 0.15 * random.normal(size=samples) * np.exp(-5 * time)
            sound[row, channel] = 0.5 * wave / np.abs(wave).max()
    return sound


def _features(root: Path, random: np.random.Generator) -> None:
    codes = [code for code, copies in zip(IRMAS_FOUR, (5, 5, 5, 5), strict=True) for _ in range(copies)]
    index = pd.DataFrame(
        {
            "clip_id": [f"irmas/{code}/{row}" for row, code in enumerate(codes)],
            "dataset": "irmas",
            "split": "train",
            "group": [f"song-{row}" for row in range(len(codes))],
            "native_labels": codes,
        }
    )
    waves = get_model("cnn1d_stage1").preset("mini")
    sounds = _tones(random, len(codes), waves.input_shape[1])
    write_set(root, "irmas-4", index, np.eye(4)[[IRMAS_FOUR.index(code) for code in codes]], waves.front_end, sounds)
    recordings = pd.DataFrame(
        {
            "clip_id": [f"musicnet/{row}" for row in range(8)],
            "dataset": "musicnet",
            "split": ["train"] * 5 + ["valid"] + ["test"] * 2,
            "group": "recording",
            "native_labels": "1",
        }
    )
    write_set(root, "musicnet-frames", recordings, _frames(random, 8 * 50).reshape(8, 50, 12))
    passt = get_model("passt").preset("mini")
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip/{row:04d}" for row in range(130)],
            "dataset": "openmic", "split": "test", "group": "artist", "native_labels": "",
        }
    )  # fmt: skip
    shape = tuple(size for size in passt.input_shape if size != 1)
    image = np.cumsum(random.normal(0, 0.1, (130, *shape)), axis=2).astype(np.float16)
    write_set(root, "openmic-20", clips, np.zeros((130, 20)), passt.front_end, image)


def _clips(root: Path, random: np.random.Generator) -> None:
    openmic = _manifest(random, "openmic", {"train": 240, "valid": 40, "test": 90}, 0.3)
    irmas = _manifest(random, "irmas", {"train": 16, "test": 3}, 0.0)
    irmas["native_labels"] = ["gac"] * 4 + ["pia"] * 5 + ["tru"] * 3 + ["vio"] * 4 + ["pia"] * 3
    manifest = pd.concat([openmic, irmas], ignore_index=True)
    save_manifest(manifest, root / "artifacts/manifest/manifest.parquet")
    facts = {"clips": 1, "hours": 0.1, "synthetic": True}
    write_json(
        root / "artifacts/manifest/datasets.json", dict.fromkeys(("openmic", "irmas", "musicnet", "nsynth"), facts)
    )


def write_systems_run(root: Path, *, bench: bool = True, seed: int = 0) -> dict[str, Path | None]:
    """Makes a run of all four systems below ``root``; returns the step's inputs by name."""
    random = np.random.default_rng(seed)
    _clips(root, random)
    _openmic(root, random)
    _irmas(root, random)
    _musicnet(root, random)
    _features(root, random)
    for name in ("cbam_cnn", "passt"):
        (root / "artifacts/pretrained" / name).mkdir(parents=True)
        _history(root / "artifacts/pretrained" / name, ("accuracy",), random)
    if bench:
        speeds = {
            name: {
                "preset": "mini",
                "epoch_s": 0.5 + place / 7,
                "clips_per_s": 800.0 - place,
                "macs": 10**6 * (place + 1),
            }
            for place, name in enumerate((*OPENMIC_MODELS, *IRMAS_MODELS))
        }
        machine = {"processor": "a processor", "threads": 2, "accelerator": None}
        write_json(root / "bench.json", {"machine": machine, "models": speeds})
    return {
        "manifest": root / "artifacts/manifest",
        "features": root / "artifacts/features",
        "recordings": None,
        "models": root / "artifacts/models",
        "pretrained": root / "artifacts/pretrained",
        "evaluations": root / "artifacts/evaluation",
        "repeats": root / "artifacts/repeats",
        "bench": root / "bench.json" if bench else None,
    }
