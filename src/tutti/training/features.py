"""The features step: every recording is decoded once, for every front end that the models of the run need."""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from tutti.audio.decode import decode, mono, resample
from tutti.audio.windows import WindowPolicy
from tutti.config import Config, FeatureParams, ModelParams
from tutti.datasets.archives import iter_members
from tutti.datasets.manifest import load_manifest
from tutti.errors import ConfigError, DataError
from tutti.files import atomic_folder, atomic_path, sha256_file, write_json
from tutti.frontends import FrontEndConfig, create_front_end
from tutti.models import get_model
from tutti.progress import track
from tutti.provenance import record
from tutti.training.feature_store import CLIPS, IRMAS, SAMPLE_SCALE, array_file, samples_file

log = logging.getLogger(__name__)

#: IRMAS' training clips last three seconds.
IRMAS_WINDOW = WindowPolicy(length_s=3.0, hop_s=3.0)

#: Datasets with labels of the task. One's own notes are not among them: each is only known to have its instrument, and
#: a model that sees single notes as positives alone learns that a single note has everything. Mixtures teach both.
TASK_DATASETS = ("openmic", "mixtures")

_THREADS = 2


@dataclass(frozen=True)
class Plan:
    """What one set holds.

    Attributes:
        window: How clips are cut.
        front_ends: Whose outputs are stored.
        sample_rates: At which rates samples are stored, too.
    """

    window: WindowPolicy
    front_ends: tuple[FrontEndConfig, ...]
    sample_rates: tuple[int, ...]


def plan_sets(models: Mapping[str, ModelParams]) -> dict[str, Plan]:
    """The sets that training and pretraining of these models read.

    Raises:
        ConfigError: A model is unknown, or two models cut recordings differently.
    """
    chosen = {name: get_model(name).preset(params.preset) for name, params in models.items()}
    windows = {preset.window for preset in chosen.values()}
    if len(windows) != 1:
        raise ConfigError(
            "the models of one run must cut recordings alike",
            got="; ".join(f"{name}: {preset.window.length_s:g} s" for name, preset in chosen.items()),
            hint="put the models with another window into a run of their own",
        )

    def plan(window: WindowPolicy, names: Sequence[str]) -> Plan:
        presets = [chosen[name] for name in names]
        return Plan(
            window=window,
            front_ends=tuple({preset.front_end.key: preset.front_end for preset in presets}.values()),
            sample_rates=tuple(sorted({p.front_end.sample_rate for p in presets if p.cache == "samples"})),
        )

    sets = {CLIPS: plan(windows.pop(), list(chosen))}
    pretrained = [name for name, params in models.items() if params.pretrain is not None]
    if pretrained:
        sets[IRMAS] = plan(IRMAS_WINDOW, pretrained)
    return sets


def extract_features(data: Path, manifest: Path, mixtures: Path, target: Path, config: Config) -> dict[str, Any]:
    """Writes the features folder, whole or not at all.

    Args:
        data: The data root.
        manifest: Folder with ``manifest.parquet``.
        mixtures: Folder with the mixtures and their ``manifest.parquet``.
        target: The features folder.
        config: The run's parameters.

    Returns:
        Windows of each set.

    Raises:
        ConfigError: See `plan_sets`.
        DataError: Recordings are missing, or there are none to train on.
        AudioDecodeError: A recording cannot be used.
    """
    sets = plan_sets(config.models)
    real, mixed = load_manifest(manifest / "manifest.parquet"), load_manifest(mixtures / "manifest.parquet")
    clips = pd.concat([real[real["dataset"].isin(TASK_DATASETS)], mixed], ignore_index=True)
    if not len(clips):
        raise DataError(
            "there are no clips to train on",
            expected=f"rows of {', '.join(TASK_DATASETS)}",
            hint="see data in params.yaml",
        )
    tables = {CLIPS: clips, IRMAS: real[(real["dataset"] == "irmas") & real["split"].isin(("train", "valid"))]}
    described = {}
    with atomic_folder(target) as folder:
        for name, plan in sets.items():
            windows = list_windows(tables[name], plan.window)
            described[name] = write_set(folder / name, windows, plan, config.features, {"mixtures": mixtures}, data)
            log.info("features: %d windows in the set %s", len(windows), name)
        provenance = record(
            params={
                "features": config.features.model_dump(),
                "models": {name: params.preset for name, params in config.models.items()},
            },
            data={
                "manifest": sha256_file(manifest / "manifest.parquet"),
                "mixtures": sha256_file(mixtures / "manifest.parquet"),
            },
            seed=config.seed,
        )
        write_json(
            folder / "features.json",
            {"provenance": provenance, "synthetic": _synthetic_datasets(manifest), "sets": described},
        )
    return {name: description["rows"] for name, description in described.items()}


def _synthetic_datasets(manifest: Path) -> list[str]:
    """Names of the datasets whose sound is rendered or mixed, so that every result can say so."""
    path = manifest / "datasets.json"
    try:
        datasets = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}", got=error, hint="run the validate step again") from error
    return sorted([name for name, facts in datasets.items() if facts["synthetic"]] + ["mixtures"])


def list_windows(clips: pd.DataFrame, window: WindowPolicy) -> pd.DataFrame:
    """The clips cut into windows, the index of a set in the making.

    A last window that would bring less than half a hop of new sound is left out: a clip that is a few samples longer
    than the window stays one example.

    Args:
        clips: Manifest rows.
        window: How they are cut.

    Returns:
        The manifest's columns with ``clip_start_s`` (start of the clip in its file), ``start_s`` (of the window in the
        file) and ``synthetic``; sorted by clip and time.
    """
    rows = []
    for position, duration in enumerate(clips["duration_s"]):
        last = -window.hop_s
        for start in window.starts(float(duration)):
            if start - last >= window.hop_s / 2:
                rows.append((position, start))
                last = start
    positions = np.array([position for position, _ in rows], int)
    windows = clips.iloc[positions].copy()
    windows["clip_start_s"] = windows["start_s"]
    windows["start_s"] = windows["start_s"] + np.array([start for _, start in rows], float)
    windows["synthetic"] = windows["dataset"] == "mixtures"
    return windows.sort_values(["clip_id", "start_s"]).reset_index(drop=True)


def write_set(
    folder: Path,
    windows: pd.DataFrame,
    plan: Plan,
    params: FeatureParams,
    roots: Mapping[str, Path],
    default_root: Path,
) -> dict[str, Any]:
    """Computes one set, batch by batch: memory does not grow with the number of windows.

    Args:
        folder: Where index and arrays go.
        windows: See `list_windows`.
        plan: What is stored.
        params: Precision and batch size.
        roots: Folder that the paths of a dataset are relative to, where it is not ``default_root``.
        default_root: The data root.

    Returns:
        The set's entry in ``features.json``.
    """
    folder.mkdir(parents=True)
    writer = _Writer(folder, len(windows), plan, params)
    decoded = _decoded(windows, plan, roots, default_root)
    batches = track(_batched(decoded, params.batch), "features", total=-(-len(windows) // params.batch), unit="batches")
    for batch in batches:
        writer.write(batch)
    columns = ["clip_id", "dataset", "split", "synthetic", "start_s", "native_labels", "labels", "mask"]
    with atomic_path(folder / "index.parquet") as temporary:
        windows[columns].rename_axis("row").reset_index().to_parquet(temporary, index=False)
    return {"rows": len(windows), "window": plan.window.model_dump(), "arrays": writer.close()}


#: Row of a window, and its samples at each rate.
_Window = tuple[int, dict[int, np.ndarray]]


class _Writer:
    """The arrays of a set while they are filled."""

    def __init__(self, folder: Path, rows: int, plan: Plan, params: FeatureParams) -> None:
        self._folder, self._rows, self._dtype = folder, rows, params.dtype
        self._front_ends = {config: create_front_end(config) for config in plan.front_ends}
        self._sample_rates = plan.sample_rates
        self._arrays: dict[str, np.memmap] = {}
        self._configs = {array_file(config): config.model_dump() for config in plan.front_ends}

    @torch.inference_mode()
    def write(self, batch: Sequence[_Window]) -> None:
        rows = [row for row, _ in batch]
        for config, front_end in self._front_ends.items():
            stacked = torch.from_numpy(np.stack([samples[config.sample_rate] for _, samples in batch]))
            features: Tensor = front_end(stacked)
            # Vectors are small, and hold values that float16 cannot tell apart (frequencies in Hz).
            dtype = self._dtype if features.ndim > 2 else "float32"
            self._array(array_file(config), features.shape[1:], dtype)[rows] = features.numpy()
        for rate in self._sample_rates:
            stacked_samples = np.stack([samples[rate] for _, samples in batch])
            quantised = np.rint(stacked_samples.clip(-1, 1) * SAMPLE_SCALE).astype(np.int16)
            self._array(samples_file(rate), quantised.shape[1:], "int16")[rows] = quantised

    def _array(self, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        if name not in self._arrays:
            self._arrays[name] = np.lib.format.open_memmap(
                self._folder / name, mode="w+", dtype=np.dtype(dtype), shape=(self._rows, *shape)
            )
        return self._arrays[name]

    def close(self) -> dict[str, Any]:
        """Writes everything out; returns the description of each array."""
        described = {}
        for name, array in self._arrays.items():
            array.flush()
            described[name] = {
                "shape": list(array.shape),
                "dtype": str(array.dtype),
                "front_end": self._configs.get(name),
            }
        self._arrays.clear()
        return described


def _decoded(windows: pd.DataFrame, plan: Plan, roots: Mapping[str, Path], default_root: Path) -> Iterator[_Window]:
    """Every window's samples; recordings are decoded by threads while earlier ones are computed with."""
    rates = sorted({config.sample_rate for config in plan.front_ends} | set(plan.sample_rates))
    for dataset, part in windows.groupby("dataset", sort=True):
        by_path: dict[str, list[int]] = {}
        for row, path in zip(part.index, part["path"], strict=True):
            by_path.setdefault(str(path), []).append(int(row))

        def cut(member: tuple[str, bytes], by_path: dict[str, list[int]] = by_path) -> list[_Window]:
            path, data = member
            return _cut(data, path, windows, by_path[path], rates, plan.window)

        members = iter_members(roots.get(str(dataset), default_root), by_path)
        for windows_of_member in _in_threads(cut, members):
            yield from windows_of_member


def _cut(
    data: bytes, path: str, windows: pd.DataFrame, rows: Sequence[int], rates: Sequence[int], window: WindowPolicy
) -> list[_Window]:
    audio = decode(data, where=path)
    sound = mono(audio.samples)
    cut = []
    for row in rows:
        clip = windows.loc[row]
        first = round(clip["start_s"] * audio.sample_rate)
        end = round((clip["clip_start_s"] + clip["duration_s"]) * audio.sample_rate)
        # One window more than needed would be resampled in vain.
        piece = sound[first : min(end, first + window.length(audio.sample_rate))]
        if not len(piece):
            raise DataError(
                f"{path} ends before the clip {clip['clip_id']} begins",
                got=f"{len(sound) / audio.sample_rate:.2f} s of sound",
                expected=f"a start at {clip['start_s']:.2f} s",
                hint="the recording has changed since the manifest was made: run the validate step again",
            )
        cut.append((row, {rate: window.fit(resample(piece, audio.sample_rate, rate), rate) for rate in rates}))
    return cut


Item = TypeVar("Item")
Result = TypeVar("Result")


def _in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` over a few threads, in order, never more than a few items ahead; decoding releases the interpreter."""
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 4 * _THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _batched(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch
