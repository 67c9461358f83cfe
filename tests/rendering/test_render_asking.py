"""Which cells are asked about, and who plays together."""

import random
from collections import Counter

import numpy as np
import pytest

from tutti.labels import OPENMIC
from tutti.rendering.asking import choose_cells, relevance
from tutti.rendering.composing import Part
from tutti.rendering.ensembles import form_artists, presence
from tutti.rendering.instruments import INSTRUMENTS, TEST_FONTS, TRAIN_FONTS


@pytest.fixture(scope="module")
def artists():
    return form_artists(TRAIN_FONTS, 300, 1, random.Random(1))


@pytest.fixture(scope="module")
def present(artists) -> np.ndarray:
    casts = [cast for artist in artists for cast in artist.casts]
    return np.array([[name in cast for name in OPENMIC] for cast in casts])


def test_artists_play_two_to_four_pieces_and_all_are_played(artists) -> None:
    assert sum(len(artist.casts) for artist in artists) == 300
    assert all(2 <= len(artist.casts) <= 4 for artist in artists)
    assert len({artist.number for artist in artists}) == len(artists)
    assert {artist.font for artist in artists} == set(TRAIN_FONTS)


def test_casts_have_one_to_six_players_mostly_two_to_four(artists) -> None:
    sizes = Counter(len(cast) for artist in artists for cast in artist.casts)
    assert set(sizes) <= {1, 2, 3, 4, 5, 6}
    assert sum(sizes[size] for size in (2, 3, 4)) > 0.6 * 300
    assert all(len(set(cast)) == len(cast) for artist in artists for cast in artist.casts)


def test_classes_are_heard_about_equally_often(present: np.ndarray) -> None:
    heard = present.sum(axis=0)
    assert heard.max() < 2 * heard.min()


def test_a_doubtful_class_is_unclear_unless_it_plays_itself() -> None:
    bass, synthesizer = INSTRUMENTS["bass"], INSTRUMENTS["synthesizer"]
    synthetic = next(patch for patch in bass.patches if patch.unclear)
    part = Part(bass, synthetic, (), leads=True)
    present, leading, clear = presence([part])
    assert present.sum() == leading.sum() == 1
    assert [OPENMIC[index] for index in np.flatnonzero(~clear)] == ["synthesizer"]
    present, leading, clear = presence([part, Part(synthesizer, synthesizer.patches[0], (), leads=False)])
    assert clear.all()
    assert (present.sum(), leading.sum()) == (2, 1)


@pytest.fixture(scope="module")
def leading(artists) -> np.ndarray:
    casts = [cast for artist in artists for cast in artist.casts]
    return np.array([[name == cast[0] for name in OPENMIC] for cast in casts])


def test_asked_cells_are_few_and_hold_both_answers(present: np.ndarray, leading: np.ndarray) -> None:
    asked = choose_cells(present, leading, np.ones_like(present), 2.1, random.Random(2))
    assert 1.9 < asked.sum() / len(asked) < 2.3
    assert asked.any(axis=1).all()
    positives, negatives = (asked & present).sum(axis=0), (asked & ~present).sum(axis=0)
    assert positives.min() >= 6
    assert negatives.min() >= 6
    assert 0.4 < positives.sum() / asked.sum() < 0.5


def test_nobody_is_asked_what_is_unclear(present: np.ndarray, leading: np.ndarray) -> None:
    clear = np.random.default_rng(0).random(present.shape) < 0.7
    clear[:, 0] = True
    asked = choose_cells(present, leading, clear, 2.0, random.Random(2))
    assert not (asked & ~clear).any()


def test_a_no_is_mostly_about_something_that_sounds_alike(present: np.ndarray, leading: np.ndarray) -> None:
    asked = choose_cells(present, leading, np.ones_like(present), 2.1, random.Random(2))
    families = np.array([INSTRUMENTS[name].family for name in OPENMIC])

    def alike(clip: int, index: int) -> bool:
        return bool((present[clip] & (families == families[index])).any())

    chosen = np.mean([alike(clip, index) for clip, index in np.argwhere(asked & ~present)])
    chance = np.mean([alike(clip, index) for clip, index in np.argwhere(~present)])
    assert chosen > chance + 0.05


def test_a_yes_is_mostly_about_who_leads(present: np.ndarray, leading: np.ndarray) -> None:
    asked = choose_cells(present, leading, np.ones_like(present), 2.1, random.Random(2))
    assert leading[asked & present].mean() > leading[present].mean() + 0.05


def test_relevance_is_on_the_side_of_the_truth(present: np.ndarray, leading: np.ndarray) -> None:
    asked = choose_cells(present, leading, np.ones_like(present), 2.0, random.Random(2))
    values = relevance(present, asked, np.random.default_rng(0))
    assert (values[~asked] == 0.5).all()
    assert ((values >= 0.7) == (present & asked)).all()
    assert (values[asked & ~present] <= 0.3).all()
    assert values[asked].std() > 0.1


def test_the_test_font_belongs_to_test_artists_only() -> None:
    tested = form_artists(TEST_FONTS, 20, 100, random.Random(1))
    assert {artist.font for artist in tested} == set(TEST_FONTS)
    assert min(artist.number for artist in tested) == 100
