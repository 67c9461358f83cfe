import pytest
import torch

from tutti.errors import ConfigError
from tutti.frontends import FrontEndConfig, create_front_end, parse_front_end, require_listening
from tutti.frontends.clip_embedding import ClipEmbeddingConfig
from tutti.frontends.vggish import SHAPE, VggishConfig
from tutti.models import list_models


def test_it_is_stored_and_others_are_not() -> None:
    assert VggishConfig.stored
    assert not FrontEndConfig.stored
    assert not ClipEmbeddingConfig().stored
    # Where an output comes from is no parameter: the digests of the others stay what they were.
    assert "stored" not in VggishConfig().model_dump()


def test_the_json_form_gives_the_same_front_end() -> None:
    config = VggishConfig()
    assert parse_front_end(config.model_dump(mode="json")) == config
    with pytest.raises(ConfigError, match="n_mels"):
        parse_front_end(config.model_dump() | {"n_mels": 128})


def test_samples_are_refused_with_what_can_listen() -> None:
    front_end = create_front_end(VggishConfig())
    with pytest.raises(ConfigError, match="come with OpenMIC-2018") as caught:
        front_end(torch.zeros(1, 160_000))
    assert "`paper`" in str(caught.value)


def test_training_leaves_the_embeddings_as_they_are() -> None:
    features = torch.rand(2, *SHAPE)
    assert torch.equal(create_front_end(VggishConfig()).augment(features, torch.Generator()), features)


def test_one_stored_member_is_enough_to_be_deaf() -> None:
    require_listening("the ensemble", [ClipEmbeddingConfig()])
    with pytest.raises(ConfigError, match="the ensemble cannot listen") as caught:
        require_listening("the ensemble", [ClipEmbeddingConfig(), VggishConfig()])
    assert "vggish" in str(caught.value.got)
    assert caught.value.exit_code == 2


def test_models_that_read_embeddings_have_a_preset_that_listens() -> None:
    """The hint is true of every model: its paper preset computes an input of the same shape."""
    reading = [entry for entry in list_models() if any(p.front_end.stored for p in entry.presets.values())]
    names = {"attention_enhanced", "attention_mic", "attention_negatives", "mean_teacher", "rf"}
    assert {entry.name for entry in reading} == names
    for entry in reading:
        assert entry.preset("published").front_end == VggishConfig()
        assert entry.preset("published").input_shape == entry.preset("paper").input_shape == SHAPE
        assert not any(entry.preset(size).front_end.stored for size in ("paper", "mini"))
