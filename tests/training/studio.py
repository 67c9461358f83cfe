"""A data root, a manifest and mixtures of a few short tones, for the features, pretrain and train steps."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tests.corpus import encode, timbre, write_tar, write_zip
from tutti.config import Config, OptimiserParams
from tutti.datasets.manifest import COLUMNS, label_row, save_manifest
from tutti.files import sha256_bytes, write_json
from tutti.labels import IRMAS, OPENMIC_INDEX
from tutti.models.network import Network
from tutti.training.features import extract_features

#: Classes that clips are asked about; the others stay unknown.
ASKED = ("cello", "flute", "guitar", "piano")


@dataclass(frozen=True)
class Studio:
    """Paths of the inputs of the features step."""

    data: Path
    manifest: Path
    mixtures: Path

    def features(self, target: Path, config: Config) -> Path:
        """Extracts the features into ``target``."""
        extract_features(self.data, self.manifest, self.mixtures, target, config)
        return target


def row(
    path: str, dataset: str, split: str, data: bytes, duration: float, rate: int, **more: object
) -> dict[str, object]:
    labels, mask = label_row()
    stem = Path(path.rpartition("!")[2]).stem
    values = {
        "clip_id": f"{dataset}/{stem}",
        "dataset": dataset,
        "path": path,
        "start_s": 0.0,
        "duration_s": duration,
        "split": split,
        "group": stem,
        "native_labels": "",
        "labels": labels,
        "mask": mask,
        "sha256": sha256_bytes(data),
        "sample_rate": rate,
        "channels": 1,
    }
    return values | more


def save(rows: Iterable[dict[str, object]], path: Path) -> None:
    save_manifest(pd.DataFrame(list(rows), columns=list(COLUMNS)), path)


def asked_row(name: str) -> dict[str, np.ndarray]:
    present = OPENMIC_INDEX[name]
    labels, mask = label_row([present], [OPENMIC_INDEX[other] for other in ASKED if other != name])
    return {"labels": labels, "mask": mask}


def make_studio(root: Path, *, per_class: int = 6, seconds: float = 1.0) -> Studio:
    """Writes the archives and both manifests: OpenMIC-like clips, IRMAS clips and mixtures."""
    studio = Studio(root / "data", root / "manifest", root / "mixtures")
    generator = np.random.default_rng(0)
    rows, clips, irmas, mixed = [], {}, {}, {}
    for number in range(per_class * len(ASKED)):
        name = ASKED[number % len(ASKED)]
        data = encode(timbre(name, seconds, 22050, generator), 22050, "OGG", "VORBIS")
        # Archive order is not the order of the clip ids.
        clips[f"audio/{97 * number % 101:03d}.ogg"] = data
        split = ("train", "train", "train", "valid", "test")[number // len(ASKED) % 5]
        path = f"openmic/clips.tgz!audio/{97 * number % 101:03d}.ogg"
        rows.append(row(path, "openmic", split, data, seconds, 22050, **asked_row(name)))
    for number in range(5 * len(IRMAS)):
        code = list(IRMAS)[number % len(IRMAS)]
        data = encode(timbre(IRMAS[code], 0.5, 44100, generator), 44100, "WAV")
        irmas[f"{code}/{number:02d}.wav"] = data
        split = "valid" if number >= 4 * len(IRMAS) else "train"
        path = f"irmas/train.zip!{code}/{number:02d}.wav"
        rows.append(row(path, "irmas", split, data, 0.5, 44100, native_labels=code))
    rows.append(row("irmas/train.zip!gone.wav", "irmas", "test", b"", 0.5, 44100, native_labels="cel"))
    write_tar(studio.data / "openmic/clips.tgz", clips)
    write_zip(studio.data / "irmas/train.zip", irmas)
    save(rows, studio.manifest / "manifest.parquet")
    write_json(studio.manifest / "datasets.json", {"openmic": {"synthetic": True}, "irmas": {"synthetic": False}})

    mixed_rows = []
    for number in range(8):
        name = ASKED[number % len(ASKED)]
        data = encode(timbre(name, seconds, 16000, generator), 16000, "FLAC", "PCM_16")
        mixed[f"mix_{number:05d}.flac"] = data
        split = "train" if number < 6 else "valid"
        path = f"mixtures.tar!mix_{number:05d}.flac"
        mixed_rows.append(row(path, "mixtures", split, data, seconds, 16000, **asked_row(name)))
    write_tar(studio.mixtures / "mixtures.tar", mixed)
    save(mixed_rows, studio.mixtures / "manifest.parquet")
    return studio


def optimiser(**changes: object) -> OptimiserParams:
    """Hyper-parameters of a run of a few seconds."""
    values: dict[str, object] = {"epochs": 3, "batch": 8, "learning_rate": 0.01, "schedule": "cosine", "patience": 9}
    return OptimiserParams(**(values | changes))


def with_models(config: Config, **models: object) -> Config:
    """The configuration with other models."""
    return config.model_copy(update={"models": models})


def same_weights(first: Network, second: Network) -> bool:
    """Whether two networks agree bit by bit."""
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(ours[name].equal(theirs[name]) for name in ours)
