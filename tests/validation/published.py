"""Tables of the published datasets at full size, made from the published counts: rows without recordings."""

import numpy as np
import pandas as pd

from tests.validation.frames import probes_of
from tutti.datasets.manifest import COLUMNS
from tutti.labels import IRMAS, OPENMIC, OPENMIC_INDEX

#: Class: train negatives, train positives, test negatives, test positives.
OPENMIC_COUNTS = {
    "accordion": (1159, 374, 423, 115),
    "banjo": (1148, 592, 338, 140),
    "bass": (1010, 415, 329, 134),
    "cello": (866, 598, 259, 226),
    "clarinet": (1349, 396, 503, 137),
    "cymbals": (485, 814, 139, 297),
    "drums": (495, 828, 146, 278),
    "flute": (1050, 472, 387, 175),
    "guitar": (362, 852, 150, 286),
    "mallet_percussion": (802, 522, 267, 211),
    "mandolin": (1185, 652, 434, 193),
    "organ": (977, 482, 310, 121),
    "piano": (420, 885, 130, 285),
    "saxophone": (906, 830, 324, 305),
    "synthesizer": (399, 823, 112, 268),
    "trombone": (1405, 635, 492, 228),
    "trumpet": (1303, 828, 467, 318),
    "ukulele": (1279, 556, 408, 182),
    "violin": (623, 779, 237, 394),
    "voice": (426, 764, 150, 224),
}
IRMAS_TRAIN = dict(zip(IRMAS, (388, 505, 451, 637, 760, 682, 721, 626, 577, 580, 778), strict=True))
IRMAS_TEST = dict(zip(IRMAS, (111, 62, 163, 535, 942, 361, 995, 326, 167, 211, 1044), strict=True))
NSYNTH_TRAIN = {
    "bass": 65474, "brass": 12675, "flute": 8773, "guitar": 32690, "keyboard": 51821, "mallet": 34201, "organ": 34477,
    "reed": 13911, "string": 19474, "synth_lead": 5501, "vocal": 10208,
}  # fmt: skip
MUSICNET_TEST = ("1759", "1819", "2106", "2191", "2298", "2303", "2382", "2416", "2556", "2628")

Frames = tuple[pd.DataFrame, pd.DataFrame]


def openmic() -> Frames:
    labels, mask = np.full((20000, 20), 0.5, np.float32), np.zeros((20000, 20), bool)
    for start, size, of in ((0, 14915, (0, 1)), (14915, 5085, (2, 3))):
        cell = 0  # dealt round, so that no clip is asked twice about a class, and every one about some
        for name, counts in OPENMIC_COUNTS.items():
            for value, count in zip((0.1, 0.9), (counts[at] for at in of), strict=True):
                rows = start + (cell + np.arange(count)) % size
                labels[rows, OPENMIC_INDEX[name]], mask[rows, OPENMIC_INDEX[name]] = value, True
                cell += count
    native = [";".join(OPENMIC[at] for at in np.flatnonzero(row >= 0.75)) for row in labels]
    splits = ["train"] * 12000 + ["valid"] * 2915 + ["test"] * 5085
    keys = [f"{number:06d}_0" for number in range(20000)]
    paths = [f"openmic/openmic-2018-v1.0.0.tgz!openmic-2018/audio/{key[:3]}/{key}.ogg" for key in keys]
    return _frames("openmic", keys, paths, splits, native, 10.0, 44100, 2, labels, mask)


def irmas() -> Frames:
    training = [code for code, count in IRMAS_TRAIN.items() for _ in range(count)]
    testing: list[list[str]] = [[] for _ in range(2874)]
    for number, code in enumerate(code for code, count in IRMAS_TEST.items() for _ in range(count)):
        testing[number % 2874].append(code)
    parts = ["Part1"] * 807 + ["Part2"] * 1305 + ["Part3"] * 762
    keys = [f"{code}/{number}" for number, code in enumerate(training)]
    keys += [f"{part}/song-{number}" for number, part in enumerate(parts)]
    paths = [f"irmas/IRMAS-TrainingData.zip!IRMAS-TrainingData/{key}.wav" for key in keys[:6705]]
    paths += [f"irmas/IRMAS-TestingData-{key[:5]}.zip!{key}.wav" for key in keys[6705:]]
    splits = ["train"] * 6000 + ["valid"] * 705 + ["test"] * 2874
    native = training + [";".join(codes) for codes in testing]
    durations = [3.0] * 6705 + [12.0] * 2874
    return _frames("irmas", keys, paths, splits, native, durations, 44100, 2)


def nsynth() -> Frames:
    native = [family for family, count in NSYNTH_TRAIN.items() for _ in range(count)]
    native += ["bass"] * (12678 + 4096)
    splits = ["train"] * 289205 + ["valid"] * 12678 + ["test"] * 4096
    keys = [f"note-{number:06d}" for number in range(305979)]
    return _frames("nsynth", keys, keys, splits, native, 4.0, 16000, 1, group=100)


def musicnet() -> Frames:
    keys = [str(number) for number in range(10000, 10320)] + list(MUSICNET_TEST)
    splits = ["train"] * 280 + ["valid"] * 40 + ["test"] * 10
    return _frames("musicnet", keys, keys, splits, ["1;74"] * 320 + ["1;41"] * 10, 360.0, 44100, 1)


def _frames(
    dataset: str,
    keys: list[str],
    paths: list[str],
    splits: list[str],
    native: list[str],
    duration: float | list[float],
    rate: int,
    channels: int,
    labels: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    *,
    group: int = 1,
) -> Frames:
    unknown, unasked = np.full(20, 0.5, np.float32), np.zeros(20, bool)
    manifest = pd.DataFrame(
        {
            "clip_id": [f"{dataset}/{key}" for key in keys],
            "dataset": dataset,
            "path": paths,
            "start_s": 0.0,
            "duration_s": duration,
            "split": splits,
            "group": [f"{dataset}/{split}-{number // group}" for number, split in enumerate(splits)],
            "native_labels": native,
            "labels": [unknown] * len(keys) if labels is None else list(labels),
            "mask": [unasked] * len(keys) if mask is None else list(mask),
            "sha256": [f"{number:064x}" for number in range(len(keys))],
            "sample_rate": rate,
            "channels": channels,
        }
    )[list(COLUMNS)]
    return manifest, probes_of(manifest)
