"""From recordings to the samples of windows: each file is decoded once, for every signal that is wanted."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from tutti.audio.decode import decode, resample, with_channels
from tutti.audio.windows import WindowPolicy
from tutti.datasets.archives import iter_members
from tutti.errors import DataError
from tutti.training.plans import Plan, Signal

#: Row of a window in its set, and its samples by signal: float32 [n] or [2, n].
Samples = tuple[int, dict[Signal, np.ndarray]]

_THREADS = 2


def list_windows(clips: pd.DataFrame, window: WindowPolicy) -> pd.DataFrame:
    """The clips cut into windows.

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


def window_samples(
    windows: pd.DataFrame, plan: Plan, roots: Mapping[str, Path], default_root: Path
) -> Iterator[Samples]:
    """Every window's samples; recordings are decoded by threads while earlier ones are computed with.

    Args:
        windows: See `list_windows`; the index is the row.
        plan: The signals and the window.
        roots: Folder that the paths of a dataset are relative to, where it is not ``default_root``.
        default_root: The data root.
    """
    for dataset, part in windows.groupby("dataset", sort=True):
        by_path: dict[str, list[int]] = {}
        for row, path in zip(part.index, part["path"], strict=True):
            by_path.setdefault(str(path), []).append(int(row))

        def cut(member: tuple[str, bytes], by_path: dict[str, list[int]] = by_path) -> list[Samples]:
            path, data = member
            return _cut(data, path, windows, by_path[path], plan)

        for of_member in in_threads(cut, iter_members(roots.get(str(dataset), default_root), by_path)):
            yield from of_member


def _cut(data: bytes, path: str, windows: pd.DataFrame, rows: Sequence[int], plan: Plan) -> list[Samples]:
    audio = decode(data, where=path)
    wanted = {channels: with_channels(audio.samples, channels) for channels in {c for _, c in plan.signals}}
    cut = []
    for row in rows:
        clip = windows.loc[row]
        first = round(clip["start_s"] * audio.sample_rate)
        end = round((clip["clip_start_s"] + clip["duration_s"]) * audio.sample_rate)
        # One window more than needed would be resampled in vain.
        end = min(end, first + plan.window.length(audio.sample_rate))
        if first >= audio.samples.shape[-1]:
            raise DataError(
                f"{path} ends before the clip {clip['clip_id']} begins",
                got=f"{audio.samples.shape[-1] / audio.sample_rate:.2f} s of sound",
                expected=f"a start at {clip['start_s']:.2f} s",
                hint="the recording has changed since the manifest was made: run the validate step again",
            )
        pieces = {channels: samples[..., first:end] for channels, samples in wanted.items()}
        cut.append((row, fit_signals(pieces, audio.sample_rate, plan)))
    return cut


def fit_signals(pieces: Mapping[int, np.ndarray], sample_rate: int, plan: Plan) -> dict[Signal, np.ndarray]:
    """One window's samples for every signal of the plan, from those at its own rate, by number of channels."""
    return {
        (rate, channels): plan.window.fit(resample(pieces[channels], sample_rate, rate), rate)
        for rate, channels in plan.signals
    }


Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`map` over a few threads, in order, never more than a few items ahead; decoding releases the interpreter."""
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 4 * _THREADS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
