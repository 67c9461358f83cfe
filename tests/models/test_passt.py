import re

import pytest
import torch

from tutti.errors import ArtifactMismatch
from tutti.models import get_model
from tutti.models.passt import Passt

NAMES = re.compile(
    r"cls_token|dist_token|new_pos_embed|freq_new_pos_embed|time_new_pos_embed|patch_embed\.proj\.(weight|bias)"
    r"|blocks\.\d+\.(norm1|attn\.qkv|attn\.proj|norm2|mlp\.fc1|mlp\.fc2)\.(weight|bias)|norm\.(weight|bias)"
    r"|head\.[01]\.(weight|bias)|head_dist\.(weight|bias)"
)


def tiny(n_classes: int = 20, **options: int) -> Passt:
    torch.manual_seed(0)
    return Passt(n_classes=n_classes, dim=24, depth=2, heads=3, mels=64, frames=200, **options)


def test_published_parameter_counts_and_names() -> None:
    with torch.device("meta"):
        entry = get_model("passt")
        network, audioset = entry.build("paper"), entry.build("paper", n_classes=527)
    assert sum(p.numel() for p in network.parameters()) == 85_373_992
    assert sum(p.numel() for p in audioset.parameters()) == 86_153_758
    assert [name for name in network.state_dict() if not NAMES.fullmatch(name)] == []
    assert sum(p.numel() for p in network.blocks[0].parameters()) == 7_087_872
    assert network.state_dict()["time_new_pos_embed"].shape == (1, 768, 1, 99)
    assert network.state_dict()["freq_new_pos_embed"].shape == (1, 768, 12, 1)


@pytest.mark.parametrize(("frames", "tokens"), [(1000, 1190), (998, 1190), (501, 590)])
def test_published_sequence_lengths(frames: int, tokens: int) -> None:
    options = dict(get_model("passt").preset("paper").options, dim=12, depth=1, heads=1)
    network = Passt(n_classes=20, **options).eval()
    assert network.tokens(torch.randn(1, 128, frames)).shape == (1, tokens, 12)


@pytest.mark.slow
@pytest.mark.parametrize("clips", [1, 2])
def test_the_published_size_answers(clips: int) -> None:
    network = get_model("passt").build("paper").eval()
    with torch.inference_mode():
        assert network(torch.randn(clips, 128, 1000)).shape == (clips, 20)


def test_other_classes_leave_only_the_last_layers_as_initialised() -> None:
    audioset, network = tiny(527), tiny(20)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.nn.init.normal_(audioset.head[0].weight)
    for parameter in audioset.blocks.parameters():
        torch.nn.init.normal_(parameter)
    network.load_transferable(audioset.state_dict(), where="audioset.pt")
    after = network.state_dict()
    for name, tensor in after.items():
        is_head = name.startswith(("head.1", "head_dist"))
        assert torch.equal(tensor, before[name] if is_head else audioset.state_dict()[name]), name


def test_the_same_classes_keep_the_head() -> None:
    source, network = tiny(20), tiny(20)
    torch.nn.init.normal_(source.head[1].weight)
    network.load_transferable(source.state_dict(), where="openmic.pt")
    assert torch.equal(network.head[1].weight, source.head[1].weight)


def test_a_checkpoint_of_another_size_is_refused() -> None:
    with pytest.raises(ArtifactMismatch, match="size mismatch"):
        tiny().load_transferable(tiny(patch=8).state_dict(), where="other.pt")


def test_attention_is_softmax_of_scaled_products() -> None:
    attention, x = tiny().blocks[0].attn, torch.randn(2, 7, 24)
    q, k, v = attention.qkv(x).chunk(3, dim=-1)
    heads = []
    for head in range(3):
        part = slice(8 * head, 8 * head + 8)
        scores = q[..., part] @ k[..., part].transpose(1, 2) / 8**0.5
        heads.append(scores.softmax(dim=-1) @ v[..., part])
    torch.testing.assert_close(attention(x), attention.proj(torch.cat(heads, dim=-1)), rtol=1e-4, atol=1e-5)


def test_a_short_input_takes_the_first_positions_in_evaluation_and_any_in_training() -> None:
    network, features = tiny(), torch.randn(1, 64, 100)
    torch.nn.init.normal_(network.time_new_pos_embed)
    network.eval()
    longer = torch.cat([features, torch.randn(1, 64, 100)], dim=2)
    rows, columns = 5, 9
    short = network.tokens(features)[:, 2:].view(rows, columns, -1)
    whole = network.tokens(longer)[:, 2:].view(rows, 19, -1)
    torch.testing.assert_close(short, whole[:, :columns], rtol=1e-4, atol=1e-5)
    network.train()
    assert any(not torch.allclose(network.tokens(features), network.eval().tokens(features)) for _ in range(20))


@pytest.mark.parametrize("shape", [(64, 230), (128, 200)])
def test_an_input_without_positions_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"5 x at most 19"):
        tiny()(torch.randn(1, *shape))


@pytest.mark.parametrize(
    ("options", "patches"),
    [
        ({}, 5 * 19),
        ({"s_patchout_t": 4}, 5 * 15),
        ({"s_patchout_f": 2}, 3 * 19),
        ({"u_patchout": 10}, 5 * 19 - 10),
        ({"s_patchout_t": 4, "s_patchout_f": 2, "u_patchout": 5}, 3 * 15 - 5),
    ],
)
def test_patchout_drops_patches_in_training_only(options: dict[str, int], patches: int) -> None:
    network, features = tiny(**options), torch.randn(2, 64, 200)
    network.train()
    assert network.tokens(features).shape[1] == 2 + patches
    network.eval()
    assert network.tokens(features).shape[1] == 2 + 5 * 19
    assert torch.equal(network(features), network(features))


def test_patchout_keeps_each_patch_its_position() -> None:
    network, features = tiny(s_patchout_t=6), torch.randn(1, 64, 200)
    whole = network.eval().tokens(features)[0, 2:].view(5, 19, -1)
    kept = network.train().tokens(features)[0, 2:].view(5, 13, -1)
    columns = [next(j for j in range(19) if torch.allclose(whole[:, j], kept[:, i], atol=1e-5)) for i in range(13)]
    assert columns == sorted(set(columns))
