"""From recordings to instruments: the only inference path, used by evaluation, the command line and TorchServe alike.

All recordings of a call are cut into windows, the windows are stacked and computed in chunks, each front end once for
all members that share it, and the results go back to their recordings. Windows are made while decoding, so memory
depends neither on the length of a recording nor on how many there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from tutti.audio.decode import open_stream, with_channels
from tutti.audio.stream import Signal, Window, stream_windows
from tutti.audio.windows import WindowPolicy
from tutti.bag import BAG, Bag, bag_digest, read_bag
from tutti.bundle import LoadedBundle, bundle_digest, read_bundle
from tutti.errors import ArtifactMismatch, ConfigError, TuttiError
from tutti.frontends.base import FrontEnd, FrontEndConfig, create_front_end, require_listening
from tutti.tasks import Task, get_task
from tutti.trees import Trees

#: Windows computed at a time.
CHUNK = 8
_MIN_HOP_S = 0.05
_DIGITS = 6

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Prediction:
    """What plays in one recording.

    Attributes:
        model: ``name``, ``version`` and ``digest`` of what answered.
        duration_s: Length of the recording, seconds.
        labels: The classes.
        thresholds: Probability from which each class counts as present.
        probabilities: float32 [labels], of the whole recording.
        starts_s: Start of each window, seconds.
        ends_s: End of each window, seconds.
        window_probabilities: float32 [windows, labels].
    """

    model: dict[str, str]
    duration_s: float
    labels: tuple[str, ...]
    thresholds: tuple[float, ...]
    probabilities: np.ndarray
    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    window_probabilities: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-able values: all classes, most probable first, and all windows in order."""
        instruments = [
            {
                "name": name,
                "probability": _rounded(probability),
                "present": bool(probability >= threshold),
                "threshold": threshold,
            }
            for name, probability, threshold in zip(self.labels, self.probabilities, self.thresholds, strict=True)
        ]
        windows = [
            {
                "start_s": _rounded(start),
                "end_s": _rounded(end),
                "probabilities": {name: _rounded(value) for name, value in zip(self.labels, row, strict=True)},
            }
            for start, end, row in zip(self.starts_s, self.ends_s, self.window_probabilities, strict=True)
        ]
        return {
            "model": self.model,
            "duration_s": _rounded(self.duration_s),
            "instruments": sorted(instruments, key=lambda item: -item["probability"]),
            "windows": windows,
        }


def _rounded(value: float) -> float:
    return round(float(value), _DIGITS)


@dataclass(frozen=True)
class _Member:
    weight: float
    bundle: LoadedBundle


class Predictor:
    """A bundle or a bag, ready to predict; make one with `Predictor.from_path`.

    Attributes:
        name: Name of the model or ensemble.
        version: Version of the ensemble, or the preset of a single model.
        digest: SHA-256 of the contract or of ``bag.yaml``.
        task: What it decides; all members decide the same.
        labels: The classes, in output order.
        thresholds: Probability from which each class counts as present.
        window: How recordings are cut.
        front_ends: The front ends that its members need, by key.
    """

    def __init__(
        self,
        *,
        name: str,
        version: str,
        digest: str,
        task: Task,
        members: Sequence[tuple[float, LoadedBundle]],
        thresholds: tuple[float, ...],
        window: WindowPolicy,
        device: str,
    ) -> None:
        self.name = name
        self.version = version
        self.digest = digest
        self.task = task
        self.labels = task.labels
        self.thresholds = thresholds
        self.window = window
        self._device = torch.device(device)
        self._members = [_Member(weight, bundle) for weight, bundle in members]
        self.front_ends: dict[str, FrontEndConfig] = {
            member.bundle.front_end.key: member.bundle.front_end for member in self._members
        }
        self._front_ends: dict[str, FrontEnd] = {
            key: create_front_end(config).to(self._device) for key, config in self.front_ends.items()
        }
        for member in self._members:
            if not isinstance(member.bundle.model, Trees):
                member.bundle.model.to(self._device)

    @classmethod
    def from_path(cls, folder: Path, device: str = "cpu") -> "Predictor":
        """Opens a bundle or a bag and verifies every digest.

        Args:
            folder: What train or select wrote.
            device: Where to compute, such as ``cpu`` or ``cuda:0``.

        Raises:
            ArtifactMismatch: There is neither, a file was altered, or the members do not fit together.
        """
        folder = Path(folder)
        if (folder / BAG).is_file():
            return cls._from_bag(folder, read_bag(folder), device)
        bundle = read_bundle(folder)
        contract = bundle.contract
        return cls(
            name=contract.model,
            version=contract.preset,
            digest=bundle.digest,
            task=get_task(contract.task),
            members=[(1.0, bundle)],
            thresholds=contract.thresholds,
            window=contract.window,
            device=device,
        )

    @classmethod
    def _from_bag(cls, folder: Path, bag: Bag, device: str) -> "Predictor":
        members = []
        for member in bag.members:
            path = folder / member.path
            got = bundle_digest(path)
            if got != member.digest:
                raise ArtifactMismatch(
                    f"the member {member.name} of {folder} is not the one that was selected",
                    got=f"sha256 {got}",
                    expected=f"sha256 {member.digest}",
                    hint="copy the ensemble again, whole, or run the select step again",
                )
            bundle = read_bundle(path)
            for what, own, shared in (
                ("another task", bundle.contract.task, bag.task),
                ("other windows", bundle.contract.window, bag.window),
            ):
                if own != shared:
                    raise ArtifactMismatch(f"the member {member.name} of {folder} has {what}", got=own, expected=shared)
            members.append((member.weight, bundle))
        return cls(
            name=bag.name,
            version=bag.version,
            digest=bag_digest(folder),
            task=get_task(bag.task),
            members=members,
            thresholds=tuple(bag.thresholds[label] for label in bag.labels),
            window=bag.window,
            device=device,
        )

    def predict_features(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities from front end outputs.

        Args:
            features: For each key of ``front_ends`` an array [n, ...], converted to float32.

        Returns:
            float32 [n, labels] in [0, 1], the weighted mean of the members; [n, frames, labels] where every frame has
            labels of its own.
        """
        count = len(next(iter(features.values())))
        parts = []
        for first in range(0, count, CHUNK):
            chunk = {
                key: torch.from_numpy(np.array(features[key][first : first + CHUNK], dtype=np.float32)).to(self._device)
                for key in self.front_ends
            }
            parts.append(_in_halves(self._mean, chunk))
        if not parts:
            return np.zeros((0, 0, len(self.labels)) if self.task.frames else (0, len(self.labels)), np.float32)
        return np.concatenate(parts)

    def require_listening(self) -> None:
        """Checks that it can be given recordings; evaluation with `predict_features` needs no more than features.

        Raises:
            ConfigError: The input of a member only comes with its dataset.
        """
        require_listening(f"the model {self.name} ({self.version})", self.front_ends.values())

    def warm_up(self) -> None:
        """Computes one window of noise, so that a model that cannot answer fails now and the first answer is quick.

        Raises:
            ConfigError: See `require_listening`.
            ArtifactMismatch: The answer is no number.
        """
        self.require_listening()
        noise = np.random.default_rng(0).standard_normal((1, self.window.length(48_000))).astype(np.float32)
        samples = {
            (rate, channels): self.window.fit(with_channels(noise, channels), rate)
            for rate, channels in (config.signal for config in self.front_ends.values())
        }
        probabilities = self._predict_windows([Window(0.0, self.window.length_s, samples)])
        if not np.isfinite(probabilities).all():
            raise ArtifactMismatch(
                f"the model {self.name} gives no numbers for noise", got="NaN", hint="train the model again"
            )

    def predict(
        self, source: bytes | Path, *, max_seconds: float | None = None, hop_s: float | None = None
    ) -> Prediction:
        """What plays in one recording.

        Where every frame has labels of its own, a window's probabilities are the means over its frames, so that the
        answer has the same form; windows of a shorter ``hop_s`` make a finer timeline.

        Args:
            source: The file's bytes or its path.
            max_seconds: Longest recording accepted, None for any.
            hop_s: Distance between windows where it shall differ from the model's, seconds.

        Raises:
            AudioDecodeError: The recording cannot be used.
            ConfigError: ``hop_s`` is too small, or see `require_listening`.
        """
        answer = self.predict_batch([source], max_seconds=max_seconds, hop_s=hop_s)[0]
        if isinstance(answer, TuttiError):
            raise answer
        return answer

    def predict_batch(
        self, sources: Sequence[bytes | Path], *, max_seconds: float | None = None, hop_s: float | None = None
    ) -> list[Prediction | TuttiError]:
        """What plays in each of several recordings; one that cannot be used never harms the others.

        Args:
            sources: Bytes or paths.
            max_seconds: As in `predict`.
            hop_s: As in `predict`.

        Returns:
            For each recording its prediction, or the error that says why there is none.

        Raises:
            ConfigError: ``hop_s`` is too small, or see `require_listening`.
        """
        self.require_listening()
        policy = self._policy(hop_s)
        signals = {config.signal for config in self.front_ends.values()}
        rows: list[list[np.ndarray]] = [[] for _ in sources]
        spans: list[list[tuple[float, float]]] = [[] for _ in sources]
        failures: dict[int, TuttiError] = {}
        durations: dict[int, float] = {}
        pending: list[tuple[int, Window]] = []

        def compute() -> None:
            probabilities = self._predict_windows([window for _, window in pending])
            for (index, window), row in zip(pending, probabilities, strict=True):
                rows[index].append(row)
                spans[index].append((window.start_s, window.end_s))
            pending.clear()

        for index, source in enumerate(sources):
            where = str(source) if isinstance(source, Path) else "the recording"
            try:
                with open_stream(source, where=where, max_seconds=max_seconds, min_seconds=policy.min_s) as stream:
                    for window in stream_windows(stream, policy, signals):
                        pending.append((index, window))
                        if len(pending) == CHUNK:
                            compute()
                    durations[index] = stream.duration_s
            except TuttiError as error:
                failures[index] = error
                pending[:] = [item for item in pending if item[0] != index]
        if pending:
            compute()
        return [
            failures[index] if index in failures else self._answer(policy, durations[index], spans[index], rows[index])
            for index in range(len(sources))
        ]

    def _policy(self, hop_s: float | None) -> WindowPolicy:
        if hop_s is None:
            return self.window
        if not hop_s >= _MIN_HOP_S:
            raise ConfigError("the hop between windows is too small", got=hop_s, expected=f"at least {_MIN_HOP_S} s")
        return self.window.model_copy(update={"hop_s": hop_s})

    def _answer(
        self, policy: WindowPolicy, duration_s: float, spans: list[tuple[float, float]], rows: list[np.ndarray]
    ) -> Prediction:
        window_probabilities = np.stack(rows)
        return Prediction(
            model={"name": self.name, "version": self.version, "digest": self.digest},
            duration_s=duration_s,
            labels=self.labels,
            thresholds=self.thresholds,
            probabilities=policy.aggregate(window_probabilities),
            starts_s=tuple(start for start, _ in spans),
            ends_s=tuple(end for _, end in spans),
            window_probabilities=window_probabilities,
        )

    def _predict_windows(self, windows: Sequence[Window]) -> np.ndarray:
        """Probabilities of each window, float32 [windows, labels]."""
        samples = {
            signal: torch.from_numpy(np.stack([window.samples[signal] for window in windows])).to(self._device)
            for signal in windows[0].samples
        }
        probabilities = _in_halves(self._from_samples, samples)
        if not self.task.frames:
            return probabilities
        # Frames of the padding behind a short recording say nothing about it.
        shares = [(window.end_s - window.start_s) / self.window.length_s for window in windows]
        counts = [max(1, round(share * probabilities.shape[1])) for share in shares]
        return np.stack([frames[:count].mean(axis=0) for frames, count in zip(probabilities, counts, strict=True)])

    def _from_samples(self, samples: dict[Signal, Tensor]) -> np.ndarray:
        with torch.inference_mode():
            features = {key: module(samples[module.config.signal]) for key, module in self._front_ends.items()}
        return self._mean(features)

    def _mean(self, features: dict[str, Tensor]) -> np.ndarray:
        """Weighted mean of the members' probabilities, float32 [n, labels] or [n, frames, labels]."""
        parts = []
        for member in self._members:
            model, own = member.bundle.model, features[member.bundle.front_end.key]
            if isinstance(model, Trees):
                probabilities = model.predict(own.cpu().numpy())
            else:
                with torch.inference_mode():
                    logits = model(own)
                    answer = torch.softmax(logits, dim=-1) if self.task.exclusive else torch.sigmoid(logits)
                    probabilities = answer.float().cpu().numpy()
            parts.append(member.weight * probabilities)
        return np.stack(parts).sum(axis=0, dtype=np.float64).astype(np.float32)


def _in_halves(compute: Callable[[dict[_Key, Tensor]], np.ndarray], chunk: dict[_Key, Tensor]) -> np.ndarray:
    """Runs ``compute`` on the chunk; when the accelerator has no memory left, on halves of it, down to one row."""
    try:
        return compute(chunk)
    except torch.OutOfMemoryError:
        count = len(next(iter(chunk.values())))
        if count == 1:
            raise
    torch.cuda.empty_cache()
    middle = count // 2
    parts = ({key: rows[:middle] for key, rows in chunk.items()}, {key: rows[middle:] for key, rows in chunk.items()})
    return np.concatenate([_in_halves(compute, part) for part in parts])
