import pytest

from tutti import labels
from tutti.errors import DataError


def test_openmic_is_alphabetical_with_twenty_classes():
    assert len(labels.OPENMIC) == 20
    assert list(labels.OPENMIC) == sorted(labels.OPENMIC)
    assert labels.OPENMIC_INDEX["accordion"] == 0
    assert labels.OPENMIC_INDEX["voice"] == 19


def test_every_map_ends_in_the_openmic_vocabulary():
    for mapping in (labels.IRMAS, labels.NSYNTH_TO_OPENMIC, labels.MUSICNET_TO_OPENMIC):
        assert set(mapping.values()) <= set(labels.OPENMIC)


def test_subsets_belong_to_their_vocabulary():
    assert set(labels.IRMAS_PRETRAINING) == set(labels.IRMAS) - {"org", "voi"}
    assert set(labels.IRMAS_FOUR) <= set(labels.IRMAS)
    assert set(labels.NSYNTH_TO_OPENMIC) == set(labels.NSYNTH) - {"brass", "reed", "string"}
    assert set(labels.MUSICNET_TO_OPENMIC) <= set(labels.MUSICNET)
    assert len(labels.MUSICNET) == len(labels.NSYNTH) == len(labels.IRMAS) == 11


def test_indices_keep_the_order_given():
    assert labels.openmic_indices(["voice", "accordion"], where="here") == [19, 0]


def test_an_unknown_instrument_is_named_with_its_place():
    with pytest.raises(DataError, match="row 7") as caught:
        labels.openmic_indices(["piano", "kazoo"], where="labels.csv, row 7,")
    assert "kazoo" in str(caught.value)
    assert "ukulele" in str(caught.value)
