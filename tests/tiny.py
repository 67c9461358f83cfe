"""Front ends and models that take no time, and bundles and bags of them, for tests of what builds on them."""

import io
from pathlib import Path
from typing import ClassVar

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from tutti.audio.windows import WindowPolicy
from tutti.bag import Bag, Member, write_bag
from tutti.bundle import Contract, bundle_digest, write_bundle
from tutti.evaluation.predictions import Predictions, save_predictions
from tutti.frontends.base import FrontEnd, FrontEndConfig, register_front_end
from tutti.labels import OPENMIC
from tutti.models.registry import Preset, get_model, register_model
from tutti.models.rf import ForestModel
from tutti.tasks import get_task

WINDOW = WindowPolicy(length_s=1.0, hop_s=1.0)
BANDS = 16
FRAMES = 10


class BandsConfig(FrontEndConfig):
    kind: str = "test_bands"
    sample_rate: int = 8000


@register_front_end("test_bands")
class Bands(FrontEnd):
    """Log energies of equal bands of the window's spectrum, [batch, BANDS]."""

    Config = BandsConfig
    calls = 0

    def forward(self, samples: Tensor) -> Tensor:
        Bands.calls += 1
        return _bands(samples)


class SidesConfig(FrontEndConfig):
    kind: str = "test_sides"
    sample_rate: int = 8000
    channels: ClassVar[int] = 2


@register_front_end("test_sides")
class Sides(FrontEnd):
    """The same of the left and of the right channel, [batch, 2 * BANDS]."""

    Config = SidesConfig

    def forward(self, samples: Tensor) -> Tensor:
        return _bands(samples).flatten(1)


class FramedConfig(FrontEndConfig):
    kind: str = "test_framed"
    sample_rate: int = 8000


@register_front_end("test_framed")
class Framed(FrontEnd):
    """The same of each of FRAMES equal pieces, [batch, FRAMES, BANDS]."""

    Config = FramedConfig

    def forward(self, samples: Tensor) -> Tensor:
        return _bands(samples.unflatten(1, (FRAMES, -1)))


def _bands(samples: Tensor) -> Tensor:
    power = torch.fft.rfft(samples).abs().square()
    return torch.stack([band.mean(dim=-1) for band in power.tensor_split(BANDS, dim=-1)], dim=-1).clamp_min(1e-6).log()


def _presets(front_end: FrontEndConfig, input_shape: tuple[int, ...]) -> dict[str, Preset]:
    return {
        size: Preset(
            front_end=front_end,
            options={"hidden": hidden},
            input_shape=input_shape,
            trainable_params=None,
            total_params=None,
            window=WINDOW,
        )
        for size, hidden in (("mini", 8), ("paper", 32))
    }


_PRESETS = _presets(BandsConfig(), (BANDS,))


@register_model("test_net", family="network", presets=_PRESETS, summary="for tests", paper="none")
def test_net(*, n_classes: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(BANDS, hidden), nn.ReLU(), nn.BatchNorm1d(hidden), nn.Linear(hidden, n_classes))


@register_model("test_forest", family="forest", presets=_PRESETS, summary="for tests", paper="none")
def test_forest(*, n_classes: int, hidden: int) -> ForestModel:
    return ForestModel(n_classes=n_classes)


@register_model(
    "test_stereo",
    family="network",
    presets=_presets(SidesConfig(), (2 * BANDS,)),
    summary="for tests",
    paper="none",
)
def test_stereo(*, n_classes: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(2 * BANDS, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))


@register_model("test_exclusive", family="network", task="irmas-4", presets=_PRESETS, summary="for tests", paper="none")
@register_model("test_pairs", family="network", task="irmas-pairs", presets=_PRESETS, summary="for tests", paper="none")
@register_model(
    "test_frames",
    family="network",
    task="musicnet-frames",
    presets=_presets(FramedConfig(), (FRAMES, BANDS)),
    summary="for tests",
    paper="none",
)
def test_layers(*, n_classes: int, hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(BANDS, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))


for _factory in (test_net, test_forest, test_stereo, test_layers):
    _factory.__test__ = False  # type: ignore[attr-defined]


def fitted_forest(seed: int = 0, features: int = BANDS) -> ForestModel:
    """Forests for all classes but the last, which has a constant."""
    generator = np.random.default_rng(seed)
    rows = generator.standard_normal((40, features)).astype(np.float32)
    labels = (rows[:, :1] + 0.5 * generator.standard_normal((40, len(OPENMIC))) > 0).astype(np.float32)
    mask = np.ones(labels.shape, bool)
    mask[:, -1] = False
    model = ForestModel(n_classes=len(OPENMIC))
    model.fit(rows, labels, mask, trees=5, max_depth=4, seed=seed)
    return model


def write_test_bundle(folder: Path, name: str = "test_net", preset: str = "mini", seed: int = 0) -> Contract:
    entry = get_model(name)
    torch.manual_seed(seed)
    features = entry.preset(preset).input_shape[-1]
    model = entry.build(preset).eval() if entry.family == "network" else fitted_forest(seed, features)
    return write_bundle(
        folder,
        model=model,
        entry=entry,
        preset=preset,
        metrics={"map": 0.5},
        started_from="random",
        provenance={"seed": seed},
        card=f"# {name}\n",
    )


def write_test_bag(folder: Path, *, seed: int = 0, weights: dict[str, float] | None = None) -> Bag:
    """A bag of a network (0.7) and a forest (0.3) that share their front end, or of others."""
    return _write_bag(folder, weights or {"test_net": 0.7, "test_forest": 0.3}, WINDOW, seed)


def write_real_bag(folder: Path, *, seed: int = 0) -> Bag:
    """An untrained bag of registered models, which another process knows, too; with predictions on made-up clips."""
    bag = _write_bag(folder, {"cbam_cnn": 0.5, "rf": 0.5}, get_model("rf").preset("mini").window, seed)
    generator = np.random.default_rng(seed)
    clips = 12
    numbers = np.arange(clips)
    clip_ids = np.array([f"openmic/{number}" for number in numbers], object)
    save_predictions(
        Predictions(
            names=OPENMIC,
            clip_id=clip_ids,
            frame=np.zeros(clips, np.int32),
            group=clip_ids,
            dataset=np.array(["openmic"] * clips, object),
            split=np.array(["valid", "test"] * (clips // 2), object),
            synthetic=np.ones(clips, bool),
            probabilities=generator.random((clips, len(OPENMIC))).astype(np.float32),
            labels=np.tile((numbers // 2 % 2).astype(np.float32)[:, None], (1, len(OPENMIC))),
            mask=np.ones((clips, len(OPENMIC)), bool),
        ),
        folder / "predictions.parquet",
    )
    return bag


def _write_bag(folder: Path, weights: dict[str, float], window: WindowPolicy, seed: int) -> Bag:
    members, task = [], get_task(get_model(next(iter(weights))).task)
    for name, weight in weights.items():
        write_test_bundle(folder / "members" / name, name, seed=seed)
        digest = bundle_digest(folder / "members" / name)
        members.append(Member(name=name, path=f"members/{name}", digest=digest, weight=weight))
    bag = Bag(
        name="test-ensemble",
        version="1.0",
        task=task.name,
        members=tuple(members),
        thresholds=dict.fromkeys(task.labels, 0.4),
        labels=task.labels,
        window=window,
        metrics={"map": 0.6},
        data={"name": "generated noise", "synthetic": True, "sha256": "0" * 64},
        provenance={"seed": seed},
    )
    write_bag(folder, bag)
    return bag


def sound(seconds: float = 1.0, *, rate: int = 16000, hz: float = 440.0, kind: str = "WAV", channels: int = 1) -> bytes:
    """A tone in a little noise, encoded."""
    time = np.arange(round(seconds * rate)) / rate
    samples = 0.3 * np.sin(2 * np.pi * hz * time) + 0.01 * np.random.default_rng(0).standard_normal(len(time))
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([samples] * channels, axis=1), rate, format=kind)
    return buffer.getvalue()
