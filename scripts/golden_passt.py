"""Writes tests/models/golden/passt.npz and passt_names.json: what hear21passt computes from weights anyone can draw.

The package is PaSST's authors' own and no dependency of Tutti; the tests compare with these files instead. To make them
again, in the repository:

    uv pip install --target /tmp/hear21passt --no-deps hear21passt==0.0.26
    PYTHONPATH=/tmp/hear21passt .venv/bin/python scripts/golden_passt.py

Every weight and input is a function of its name (see `drawn`), so the files hold outputs only. The networks run in
float64, the spectrogram, whose mel bank the package makes in float32, in float32. The same call on the same machine
gives the same files; elsewhere the last digits may differ.
"""

import contextlib
import io
import json
import sys
import zlib
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "models" / "golden"

#: The small network, in the words of `tutti.models.passt.Passt`; 127 frames give 12 of its 20 time positions. The
#: package takes length // stride for the number of positions, which is that of the patches for these lengths only.
SMALL = {"n_classes": 7, "dim": 24, "depth": 3, "heads": 3, "mels": 68, "frames": 208}
SMALL_FRAMES = (208, 127)
FULL_FRAMES = 1000

#: Scale of the tokens and features whose variance is near the layer norms' epsilons.
FAINT = 2e-3

#: Lower and upper edges in Hz of the mel banks compared: evaluation's and the ends of what training draws.
EDGES = ((0.0, 15000.0), (9.0, 14001.0), (0.0, 16000.0))

#: Every this many frames of a spectrogram are kept.
EVERY = 8

Array = npt.NDArray[np.float32]


def drawn(name: str, shape: tuple[int, ...]) -> Array:
    """The value of a weight or an input: normal numbers seeded with the name's CRC-32.

    Layer norms vary around 1, biases and positions around 0; matrices keep the variance of what passes through, and
    those of queries and keys are large enough for attention that prefers some tokens.
    """
    numbers = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if name.endswith("bias"):
        return 0.1 * numbers
    if "norm" in name or name == "head.0.weight":
        return 1 + 0.1 * numbers
    if name.endswith("weight"):
        return numbers * np.float32((1.5 if ".qkv." in name else 1.0) / prod(shape[1:]) ** 0.5)
    return numbers


def some(tokens: Any) -> Any:
    """About twenty of the tokens of [batch, tokens, dim], the class token among them."""
    return tokens[:, :: max(tokens.shape[1] // 20, 1)]


def signal(seconds: int, rate: int = 32000) -> Array:
    """A tone that swells, a rising one, and noise so faint that the logarithm's offset counts: float32 [samples]."""
    times = np.arange(seconds * rate) / rate
    swelling = 0.4 * np.sin(2 * np.pi * 440 * times) * np.sin(np.pi * times / seconds)
    rising = 0.2 * np.sin(2 * np.pi * (500 + 600 * times) * times)
    noise = 0.0004 * np.random.default_rng(zlib.crc32(b"noise")).standard_normal(len(times))
    return (swelling + rising + noise).astype(np.float32)


def _import_package() -> tuple[ModuleType, ModuleType]:
    """The package's network and front end, without timm, of which it only wants the function that fetches weights."""
    import tutti  # noqa: F401  (lets torchaudio be imported beside a CPU torch)

    hub = ModuleType("timm.models._hub")
    hub.download_cached_file = None  # type: ignore[attr-defined]
    sys.modules |= {name: ModuleType(name) for name in ("timm", "timm.models")} | {hub.__name__: hub}
    from hear21passt.models import passt, preprocess

    return passt, preprocess


def _run(network: Any, spectrogram: Array, prefix: str) -> dict[str, Array]:
    """Outputs, and three channels of `some` tokens as they enter the blocks and leave the first.

    The faint ones go through the parts alone: they are so small that the layer norms' epsilons count.
    """
    import torch

    inside: dict[str, Any] = {}
    hook = network.blocks[0].register_forward_hook(lambda _, i, o: inside.update(tokens=i[0], first_block=o))
    with torch.inference_mode(), contextlib.redirect_stdout(io.StringIO()):
        logits, features = network(torch.from_numpy(spectrogram)[:, None].double())
        hook.remove()
        norms = {"norm1": network.blocks[0].norm1, "norm2": network.blocks[0].norm2, "norm": network.norm}
        inside |= {f"faint_{name}": norm(FAINT * inside["tokens"]) for name, norm in norms.items()}
        faint_logits = network.head(FAINT * features)
    values = {"logits": logits, "features": features, "faint_logits": faint_logits}
    values |= {name: some(x)[..., :3] for name, x in inside.items()}
    return {f"{prefix}/{name}": value.float().numpy() for name, value in values.items()}


def _filled(network: Any) -> Any:
    import torch

    network.load_state_dict({name: torch.from_numpy(drawn(name, x.shape)) for name, x in network.state_dict().items()})
    return network.double().eval()


def main() -> None:
    """Runs the package and writes the files."""
    import torch

    passt, preprocess = _import_package()
    golden: dict[str, Array] = {}

    small = passt.PaSST(
        img_size=(SMALL["mels"], SMALL["frames"]),
        patch_size=16,
        stride=(10, 10),
        num_classes=SMALL["n_classes"],
        embed_dim=SMALL["dim"],
        depth=SMALL["depth"],
        num_heads=SMALL["heads"],
        distilled=True,
    )
    for frames in SMALL_FRAMES:
        spectrogram = drawn(f"small input {frames}", (2, SMALL["mels"], frames))
        golden |= _run(_filled(small), spectrogram, f"small-{frames}")

    with contextlib.redirect_stdout(io.StringIO()):
        torch.manual_seed(0)
        full = passt.get_model(arch="passt_s_swa_p16_128_ap476", pretrained=False, n_classes=527)
    names = {name: list(tensor.shape) for name, tensor in full.state_dict().items()}
    golden["full/initial_deviations"] = np.array([x.std().item() for x in full.state_dict().values()], np.float32)
    golden |= _run(_filled(full), drawn("full input", (1, 128, FULL_FRAMES)), "full")

    for low, high in EDGES:
        mel = preprocess.AugmentMelSTFT(fmin=low, fmax=high, fmin_aug_range=10, fmax_aug_range=2000).eval()
        short, long = (mel(torch.from_numpy(signal(seconds))[None])[0].numpy() for seconds in (2, 10))
        golden[f"mel-{low:g}-{high:g}/frames"] = short[:, ::EVERY]
        golden[f"mel-{low:g}-{high:g}/statistics"] = np.stack([long.mean(1), long.std(1), long.min(1), long.max(1)])

    FOLDER.mkdir(exist_ok=True)
    np.savez_compressed(FOLDER / "passt.npz", **golden)
    (FOLDER / "passt_names.json").write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")
    for name, value in golden.items():
        print(f"{name:28} {value.shape!s:16} mean {value.mean():8.4f}  deviation {value.std():8.4f}")


if __name__ == "__main__":
    main()
