"""Keys, chords and beats."""

import numpy as np
import pytest

from tutti.mixtures.score import Score, draw_score

C_MAJOR = Score(tonic=0, mode="major", tempo_bpm=120, beats=4, first_bar_s=-0.5, progression=(0, 4, 5, 3))


def test_scales_of_major_and_minor():
    assert C_MAJOR.scale == {0, 2, 4, 5, 7, 9, 11}
    a_minor = Score(9, "minor", 120, 4, 0.0, (0,))
    assert a_minor.scale == C_MAJOR.scale


def test_chords_follow_the_bars():
    assert C_MAJOR.chord(-0.5) == (0, 4, 7)  # C
    assert C_MAJOR.chord(1.4) == (0, 4, 7)
    assert C_MAJOR.chord(1.5) == (7, 11, 2)  # G
    assert C_MAJOR.chord(3.6) == (9, 0, 4)  # A minor
    assert C_MAJOR.chord(7.5) == (0, 4, 7)  # from the beginning again
    assert C_MAJOR.chord(-1.0) == (5, 9, 0)  # what was before the clip: F


def test_the_grid():
    assert C_MAJOR.beat_s == 0.5
    assert C_MAJOR.bar_s == 2.0
    np.testing.assert_allclose(C_MAJOR.grid(1.0, 0.0, 2.0), [0.0, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(C_MAJOR.grid(4.0, -1.0, 4.0), [-0.5, 1.5, 3.5])
    np.testing.assert_allclose(C_MAJOR.grid(2.0, 0.0, 2.0, shift=0.5), [0.75, 1.75])
    assert len(C_MAJOR.grid(1.0, 0.1, 0.2)) == 0
    assert [C_MAJOR.is_downbeat(time) for time in (-0.5, 0.0, 1.5, 2.0)] == [True, False, True, False]


def test_drawn_scores_are_of_all_keys_and_within_their_bounds():
    stream = np.random.default_rng(0)
    scores = [draw_score(stream) for _ in range(400)]
    assert {(score.tonic, score.mode) for score in scores} == {(t, m) for t in range(12) for m in ("major", "minor")}
    assert {score.beats for score in scores} == {3, 4}
    for score in scores:
        assert 66 <= score.tempo_bpm <= 160
        assert -score.bar_s < score.first_bar_s <= 0
        for time in np.arange(0, 10, 0.7):
            assert set(score.chord(float(time))) <= score.scale


def test_the_same_stream_draws_the_same_score():
    assert draw_score(np.random.default_rng(5)) == draw_score(np.random.default_rng(5))
    assert draw_score(np.random.default_rng(5)).tempo_bpm != pytest.approx(
        draw_score(np.random.default_rng(6)).tempo_bpm
    )
