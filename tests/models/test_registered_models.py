"""What every registered model promises: a sweep over all entries and presets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tutti.errors import ArtifactMismatch, ConfigError
from tutti.frontends import create_front_end
from tutti.models import get_model, list_models, register_model
from tutti.models.network import Network
from tutti.tasks import get_task

# Tests register small models of their own: only the library's are meant here.
ZOO = [entry for entry in list_models() if entry.factory.__module__.startswith("tutti.")]
NETWORKS = [(entry.name, preset) for entry in ZOO if entry.family == "network" for preset in entry.presets]
SYSTEMS = {"ast-reprogramming", "irmas-two-stage", "real-and-synthetic", "musicnet-mfcc"}


def is_small(name: str, preset: str) -> bool:
    """Whether the sweeps that compute take the preset; the others are tried in the tests of their own models."""
    chosen = get_model(name).preset(preset)
    return (chosen.total_params or 0) < 3_000_000 and np.prod(chosen.input_shape) < 100_000


SMALL = [(name, preset) for name, preset in NETWORKS if is_small(name, preset)]
PRETRAINED = [(name, preset) for name, preset in SMALL if get_model(name).pretraining is not None]


def output_shape(name: str, preset: str) -> tuple[int, ...]:
    entry = get_model(name)
    frames = entry.preset(preset).input_shape[:1] if get_task(entry.task).frames else ()
    return (*frames, entry.n_classes)


def test_every_model_belongs_to_a_system_and_names_its_source() -> None:
    for entry in ZOO:
        assert entry.system in SYSTEMS, entry.name
        assert entry.paper, entry.name
        assert {"paper", "mini"} <= set(entry.presets), entry.name


# Embeddings that come with a dataset cannot be computed: tests/training/test_stored_features.py reads some.
@pytest.mark.parametrize(
    ("name", "preset"), [(e.name, p) for e in ZOO for p, chosen in e.presets.items() if not chosen.front_end.stored]
)
def test_the_front_end_gives_the_declared_input_shape(name: str, preset: str) -> None:
    chosen = get_model(name).preset(preset)
    rate, channels = chosen.front_end.signal
    samples = torch.randn(1, channels, chosen.window.length(rate))
    features = create_front_end(chosen.front_end)(samples[:, 0] if channels == 1 else samples)
    assert tuple(features.shape[1:]) == chosen.input_shape


@pytest.mark.parametrize(("name", "preset"), NETWORKS)
def test_declared_parameter_counts(name: str, preset: str) -> None:
    chosen = get_model(name).preset(preset)
    with torch.device("meta"):
        parameters = list(get_model(name).build(preset).parameters())
    assert sum(p.numel() for p in parameters) == chosen.total_params
    assert sum(p.numel() for p in parameters if p.requires_grad) == chosen.trainable_params


@pytest.mark.parametrize(("name", "preset"), SMALL)
def test_forward_backward_save_and_load(name: str, preset: str, tmp_path: Path) -> None:
    entry = get_model(name)
    network: Network = entry.build(preset)
    features = torch.randn(3, *entry.preset(preset).input_shape)
    logits = network(features)
    assert logits.shape == (3, *output_shape(name, preset))
    logits.square().sum().backward()
    trained = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    without = {name for name, p in trained if p.grad is None or not p.grad.abs().sum() > 0}
    assert without <= {"head_dist.weight", "head_dist.bias"}

    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    copy = entry.build(preset)
    copy.load_state_dict(load_file(path))
    assert torch.equal(copy.eval()(features), network.eval()(features))


@pytest.mark.parametrize(("name", "preset"), SMALL)
def test_evaluation_is_deterministic_and_sees_each_clip_alone(name: str, preset: str) -> None:
    entry = get_model(name)
    network = entry.build(preset).eval()
    features = torch.randn(8, *entry.preset(preset).input_shape)
    with torch.inference_mode():
        together = network(features)
        assert torch.equal(network(features), together)
        torch.testing.assert_close(network(features[5:6]), together[5:6], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "preset"), PRETRAINED)
def test_pretrained_weights_reach_the_network(name: str, preset: str) -> None:
    entry = get_model(name)
    classes = len(get_task(str(entry.pretraining)).labels)
    pretrained, network = entry.build_pretraining(preset, n_classes=classes), entry.build(preset)
    head = network.last_layer().weight.detach().clone()
    network.load_transferable(pretrained.transferable(), where="memory")
    loaded = network.transferable()
    assert loaded
    for key, tensor in pretrained.transferable().items():
        # AST's positions are fitted to the longer input.
        assert torch.equal(loaded[key], tensor) or (key == "pos_embed" and loaded[key].shape != tensor.shape), key
    assert torch.equal(network.last_layer().weight, head)


@pytest.mark.parametrize(("name", "preset"), SMALL)
def test_weights_of_another_network_are_refused(name: str, preset: str) -> None:
    network = get_model(name).build(preset)
    state = dict(network.transferable())
    first = next(iter(state))
    with pytest.raises(ArtifactMismatch, match=r"other\.safetensors"):
        network.load_transferable({**state, first: torch.zeros(1, 2, 3)}, where="other.safetensors")
    with pytest.raises(ArtifactMismatch, match="Missing"):
        network.load_transferable({key: value for key, value in state.items() if key != first}, where="other")


@pytest.mark.parametrize(("name", "preset"), SMALL)
def test_the_prior_becomes_the_answer_of_an_untrained_last_layer(name: str, preset: str) -> None:
    entry = get_model(name)
    network = entry.build(preset).eval()
    torch.nn.init.zeros_(network.last_layer().weight)
    network.set_prior(torch.linspace(0, 1, entry.n_classes))
    with torch.inference_mode():
        answer = torch.sigmoid(network(torch.randn(1, *entry.preset(preset).input_shape)))[0]
    expected = torch.linspace(0, 1, entry.n_classes).clamp(1e-4, 1 - 1e-4).expand_as(answer)
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-4)


def test_a_model_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"cbam_cnn, .*passt, rf"):
        get_model("vgg")
    with pytest.raises(ConfigError, match=r"paper, published, mini"):
        get_model("rf").preset("huge")


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        register_model("rf", family="forest", presets={}, summary="", paper="")(lambda **_: np.zeros(0))
