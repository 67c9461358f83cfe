import pytest
import torch
from torch.nn import functional

from tutti.errors import ArtifactMismatch
from tutti.models import get_model
from tutti.models.cnn1d import Cnn1d
from tutti.models.tl_classifier import TlClassifier

BLOCKS = {"samples": 100, "channels": (4, 3), "kernels": (5, 3), "pools": (2, 4)}


def tiny() -> TlClassifier:
    torch.manual_seed(0)
    network = TlClassifier(n_classes=4, hidden=(10, 5), dropout=0.2, **BLOCKS)
    for number in (1, 2):
        network.extractor.get_submodule(f"bn{number}").running_mean.normal_()
    return network


def test_published_counts_and_names() -> None:
    with torch.device("meta"):
        network = get_model("tl_classifier").build("paper")
    trained = {name: p.numel() for name, p in network.named_parameters() if p.requires_grad}
    assert {name: count for name, count in trained.items() if name.endswith("weight")} == {
        "fc1.weight": 25_400, "fc2.weight": 5_000, "fc3.weight": 200,
    }  # fmt: skip
    assert sum(trained.values()) == 25_500 + 5_050 + 204 == 30_754
    features = network.encode(torch.zeros(3, 2, 132299, device="meta"))
    assert features.shape == (3, 254)
    assert network.decide(features).shape == (3, 4)


def test_the_classifier_is_one_affine_map() -> None:
    network = tiny().eval()
    weight = network.fc3.weight @ network.fc2.weight @ network.fc1.weight
    bias = network.fc3.weight @ (network.fc2.weight @ network.fc1.bias + network.fc2.bias) + network.fc3.bias
    assert weight.shape == (4, network.fc1.in_features)
    encoded = torch.randn(6, network.fc1.in_features)
    torch.testing.assert_close(network.decide(encoded), encoded @ weight.T + bias)


def test_training_changes_the_classifier_and_not_one_bit_of_the_extractor() -> None:
    network, x, target = tiny(), torch.randn(8, 2, 100), torch.ones(8, 4)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    # Weight decay would move even a parameter without a gradient.
    optimiser = torch.optim.AdamW((p for p in network.parameters() if p.requires_grad), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        network.train()
        loss = functional.binary_cross_entropy_with_logits(network(x), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    after = network.state_dict()
    assert {name for name in after if torch.equal(after[name], before[name])} == {
        name for name in after if name.startswith("extractor.")
    }
    assert all(parameter.grad is None for parameter in network.extractor.parameters())


def test_the_extractor_evaluates_even_in_training() -> None:
    network, x = tiny().train(), torch.randn(8, 2, 100)
    assert network.dropout.training
    assert not any(module.training for module in network.extractor.modules())
    torch.testing.assert_close(network.encode(x)[:1], network.encode(x[:1]))
    encoded = network.encode(x)
    assert not torch.equal(network.decide(encoded), network.decide(encoded))
    network.eval()
    assert torch.equal(network(x), network.decide(network.encode(x)))


def test_it_starts_from_the_blocks_of_the_first_stage() -> None:
    torch.manual_seed(1)
    first = Cnn1d(n_classes=4, dropout=0.3, **BLOCKS)
    first(torch.randn(4, 2, 100))  # moves the running statistics
    network = tiny()
    network.load_transferable(first.transferable(), where="memory")
    x = torch.randn(2, 2, 100)
    expected = super(Cnn1d, first.eval()).forward(x)
    assert torch.equal(network.encode(x), expected)
    whole = tiny()
    whole.load_transferable(first.state_dict(), where="a whole checkpoint")
    assert torch.equal(whole.encode(x), expected)
    with pytest.raises(ArtifactMismatch, match=r"other\.pt.*do not fit"):
        network.load_transferable({"conv1.weight": torch.zeros(1)}, where="other.pt")


@pytest.mark.parametrize("preset", ["paper", "mini"])
def test_its_pretraining_is_the_first_stage(preset: str) -> None:
    entry, stage = get_model("tl_classifier"), get_model("cnn1d_stage1")
    assert entry.pretraining == stage.task
    assert entry.preset(preset).front_end == stage.preset(preset).front_end
    with torch.device("meta"):
        pretraining, first = entry.build_pretraining(preset, n_classes=4), stage.build(preset)
    assert isinstance(pretraining, Cnn1d)
    assert pretraining.dropout.p == first.dropout.p
    assert {key: value.shape for key, value in pretraining.state_dict().items()} == {
        key: value.shape for key, value in first.state_dict().items()
    }
