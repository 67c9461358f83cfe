"""PaSST against its authors' package, hear21passt 0.0.26, with equal weights (scripts/golden_passt.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from scripts.golden_passt import FAINT, FULL_FRAMES, SMALL, SMALL_FRAMES, drawn, some
from tutti.errors import ArtifactMismatch
from tutti.models import get_model
from tutti.models.passt import Passt

GOLDEN = np.load(Path(__file__).parent / "golden" / "passt.npz")
#: Shapes of the package's 527-class network by tensor name, as in the public checkpoints.
NAMES = json.loads((Path(__file__).parent / "golden" / "passt_names.json").read_text(encoding="utf-8"))

LAST = {"head.1.weight", "head.1.bias", "head_dist.weight", "head_dist.bias"}

#: The largest difference between our float32 and the package's float64; outputs are of the order of 1.
TOLERANCE = 1e-4


def filled(network: Passt) -> Passt:
    """The network with the weights that the package had."""
    state = {name: torch.from_numpy(drawn(name, tuple(x.shape))) for name, x in network.state_dict().items()}
    network.load_transferable(state, where="drawn")
    return network.eval()


@torch.inference_mode()
def differences(network: Passt, spectrogram: Tensor, prefix: str) -> dict[str, float]:
    tokens, features = network.tokens(spectrogram), network.embed(spectrogram)
    values = {
        "tokens": some(tokens)[..., :3],
        "first_block": some(network.blocks[0](tokens))[..., :3],
        "faint_norm1": some(network.blocks[0].norm1(FAINT * tokens))[..., :3],
        "faint_norm2": some(network.blocks[0].norm2(FAINT * tokens))[..., :3],
        "faint_norm": some(network.norm(FAINT * tokens))[..., :3],
        "features": features,
        "logits": network(spectrogram),
        "faint_logits": network.head(FAINT * features),
    }
    golden = {name: torch.from_numpy(GOLDEN[f"{prefix}/{name}"]) for name in values}
    assert {name: x.shape for name, x in values.items()} == {name: x.shape for name, x in golden.items()}
    return {name: (values[name] - golden[name]).abs().max().item() for name in values}


@pytest.mark.parametrize("frames", SMALL_FRAMES)
def test_a_small_network_computes_what_the_package_computes(frames: int) -> None:
    network = filled(Passt(**SMALL))
    spectrogram = torch.from_numpy(drawn(f"small input {frames}", (2, SMALL["mels"], frames)))
    found = differences(network, spectrogram, f"small-{frames}")
    assert max(found.values()) < TOLERANCE, found


@pytest.mark.slow
def test_the_published_network_computes_what_the_package_computes() -> None:
    with torch.device("meta"):
        network = get_model("passt").build("paper", n_classes=527)
    network = filled(network.to_empty(device="cpu"))
    spectrogram = torch.from_numpy(drawn("full input", (1, 128, FULL_FRAMES)))
    found = differences(network, spectrogram, "full")
    assert max(found.values()) < TOLERANCE, found


def test_names_and_shapes_are_the_packages() -> None:
    with torch.device("meta"):
        network = get_model("passt").build("paper", n_classes=527)
    assert {name: list(tensor.shape) for name, tensor in network.state_dict().items()} == NAMES


def test_initial_values_are_as_wide_as_the_packages() -> None:
    torch.manual_seed(0)
    network = Passt(n_classes=527, dim=192, depth=1, heads=3, mels=128, frames=998)
    packages = dict(zip(NAMES, GOLDEN["full/initial_deviations"].tolist(), strict=True))
    for name, tensor in network.state_dict().items():
        assert tensor.std().item() == pytest.approx(packages[name], rel=0.15), name


def test_the_public_checkpoints_tensors_are_all_taken_but_the_last_layers() -> None:
    with torch.device("meta"):
        network = get_model("passt").build("paper")
    network = network.to_empty(device="cpu")
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, -1)
    # One number each, spread without memory over the tensor's shape.
    numbers = {name: float(number) for number, name in enumerate(NAMES)}
    given = {name: torch.tensor(numbers[name]).expand(shape) for name, shape in NAMES.items()}
    network.load_transferable(given, where="audioset.pt")
    ends = {name: (tensor.min().item(), tensor.max().item()) for name, tensor in network.state_dict().items()}
    assert {name for name, found in ends.items() if found == (-1, -1)} == LAST
    assert all(found == (numbers[name], numbers[name]) for name, found in ends.items() if name not in LAST)


@pytest.mark.parametrize("name", ["norm.weight", "time_new_pos_embed", "head.0.bias"])
def test_a_checkpoint_without_a_tensor_is_refused(name: str) -> None:
    network = Passt(**SMALL)
    state = {key: tensor for key, tensor in network.state_dict().items() if key != name}
    with pytest.raises(ArtifactMismatch, match=name):
        network.load_transferable(state, where="partial.pt")
