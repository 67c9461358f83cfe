"""The transformer against the published geometry and Hugging Face's, and both layouts of its public weights."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tutti.errors import ArtifactMismatch
from tutti.models.ast import Ast, fit_positions

BASE = {"dim": 768, "depth": 12, "heads": 12, "mels": 128, "frames": 1024}
TINY = {"dim": 24, "depth": 2, "heads": 3, "mels": 64, "frames": 100}


def random(**options: int) -> Ast:
    """Weights at which every part matters."""
    torch.manual_seed(0)
    network = Ast(**TINY | options).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, mean=0.1, std=0.2)
    return network


def original_layout(network: Ast, classes: int = 527) -> dict[str, Tensor]:
    """As the authors' checkpoints: two spare ImageNet heads, and the task's under another name."""
    dim = network.cls_token.shape[-1]
    heads = {"v.head": (1000, dim), "v.head_dist": (1000, dim), "mlp_head.0": (dim,), "mlp_head.1": (classes, dim)}
    state = {f"module.v.{name}": tensor for name, tensor in network.state_dict().items()}
    for name, shape in heads.items():
        state |= {f"module.{name}.weight": torch.zeros(shape), f"module.{name}.bias": torch.zeros(shape[0])}
    return state


def hugging_face(dim: int, depth: int, heads: int, mels: int, frames: int, classes: int = 527) -> Any:
    transformers = pytest.importorskip("transformers")
    config = transformers.ASTConfig(
        hidden_size=dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * dim,
        num_mel_bins=mels,
        max_length=frames,
        layer_norm_eps=1e-6,
        num_labels=classes,
    )
    torch.manual_seed(1)
    network = transformers.ASTForAudioClassification(config).eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
        else:
            torch.nn.init.normal_(parameter, std=dim**-0.5)
    return network


def test_published_parameter_counts() -> None:
    with torch.device("meta"):
        network = Ast(**BASE)
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in network.named_children()}
    assert counts == {"patch_embed": 197_376, "blocks": 85_054_464, "norm": 1_536}
    assert sum(p.numel() for p in network.blocks[0].parameters()) == 7_087_872
    assert network.cls_token.numel() + network.dist_token.numel() == 1_536
    assert network.pos_embed.numel() == 932_352
    assert sum(p.numel() for p in network.parameters()) == 86_187_264
    # With AudioSet's head alone, and with the two spare ones of the authors' checkpoints.
    whole = sum(tensor.numel() for tensor in original_layout(network).values())
    assert whole == 88_132_063
    assert whole - 2 * (1000 * 768 + 1000) == 86_594_063


def test_published_grid_and_sequence() -> None:
    network = Ast(**BASE | {"dim": 12, "depth": 1, "heads": 1})
    assert network.patch_embed(torch.zeros(2, 1, 128, 1024)).shape == (2, 12, 12, 101)
    assert network.tokens(torch.zeros(2, 1024, 128)).shape == (2, 1214, 12)
    assert network(torch.zeros(2, 1024, 128)).shape == (2, 12)


def test_tokens_are_patches_row_by_row_with_their_positions() -> None:
    network, features = random(), torch.randn(1, 100, 64)
    tokens, (row, column) = network.tokens(features), (3, 7)
    patch = features[0, 10 * column : 10 * column + 16, 10 * row : 10 * row + 16].T
    projection = network.patch_embed.proj
    embedded = projection.weight.flatten(1) @ patch.flatten() + projection.bias
    index = 2 + row * 9 + column
    torch.testing.assert_close(tokens[0, index], embedded + network.pos_embed[0, index], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(tokens[0, 1], network.dist_token[0, 0] + network.pos_embed[0, 1])


@pytest.mark.parametrize("geometry", [tuple(TINY.values()), pytest.param(tuple(BASE.values()), marks=pytest.mark.slow)])
def test_it_is_hugging_faces_network(geometry: tuple[int, ...]) -> None:
    theirs = hugging_face(*geometry)
    ours = Ast(**dict(zip(TINY, geometry, strict=True))).eval()
    ours.load(theirs.state_dict(), where="the export")
    features = torch.randn(1, geometry[4], geometry[3])
    with torch.inference_mode():
        expected = theirs.audio_spectrogram_transformer(features).pooler_output
        assert expected.std() > 0.5
        torch.testing.assert_close(ours(features), expected, rtol=1e-4, atol=1e-4)


def test_both_public_layouts_load_and_agree() -> None:
    export, features = hugging_face(*TINY.values()), torch.randn(2, 100, 64)
    first, second = random(), random()
    first.load(export.state_dict(), where="the export")
    second.load(original_layout(first), where="the checkpoint")
    assert first.state_dict().keys() == second.state_dict().keys()
    assert torch.equal(first(features), second(features))
    assert not torch.equal(first(features), random()(features))


def test_a_public_layout_that_is_incomplete_or_of_another_size_is_refused() -> None:
    state = original_layout(random())
    name = "module.v.blocks.1.attn.qkv.weight"
    with pytest.raises(ArtifactMismatch, match=r"blocks\.1\.attn\.qkv\.weight"):
        random().load({key: value for key, value in state.items() if key != name}, where="ast.pth")
    with pytest.raises(ArtifactMismatch, match="size mismatch"):
        random(dim=48).load(state, where="ast.pth")
    with pytest.raises(ArtifactMismatch, match="pos_embed"):
        random(mels=128).load(state, where="ast.pth")
    export = hugging_face(*TINY.values()).state_dict()
    with pytest.raises(ArtifactMismatch, match="qkv"):
        lacking = {key: value for key, value in export.items() if "layer.0.attention.attention.key.bias" not in key}
        random().load(lacking, where="model.safetensors")


def test_a_shorter_input_takes_the_middle_positions() -> None:
    table = torch.arange(2 + 12 * 101).float().view(1, -1, 1)
    assert torch.equal(fit_positions(table, 12, 101), table)
    for columns, first in ((30, 35), (31, 35), (100, 0), (1, 50)):
        fitted = fit_positions(table, 12, columns)
        assert fitted.shape == (1, 2 + 12 * columns, 1)
        assert torch.equal(fitted[0, :2], table[0, :2])
        assert fitted[0, 2:, 0].view(12, columns)[3].tolist() == [2 + 3 * 101 + first + i for i in range(columns)]


def test_a_longer_input_stretches_the_positions() -> None:
    table = torch.cat([torch.zeros(1, 2, 1), torch.tensor([0.0, 4.0, 10.0, 14.0]).view(1, 4, 1)], dim=1)
    fitted = fit_positions(table, 2, 4)[0, 2:, 0].view(2, 4)
    # Half-pixel centres: the ends hold, between them a quarter and three quarters of the way.
    assert fitted.tolist() == [[0.0, 1.0, 3.0, 4.0], [10.0, 11.0, 13.0, 14.0]]


def test_weights_of_three_seconds_serve_ten() -> None:
    short, long = random(frames=74), random(frames=249)
    long.load(short.state_dict(), where="memory")
    assert torch.equal(long.pos_embed, fit_positions(short.pos_embed, 5, 24))
    features = torch.randn(1, 249, 64)
    # The same network, whether the positions are fitted once or with every input.
    torch.testing.assert_close(long(features), short(features))


def test_an_input_with_other_mel_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="128 mel bins give 12 rows of patches, expected 5"):
        random()(torch.randn(1, 100, 128))
