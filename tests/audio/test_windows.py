import numpy as np
import pytest

from tutti.audio.windows import WindowPolicy


@pytest.mark.parametrize(
    ("duration", "starts"),
    [
        (0.1, [0.0]),
        (10.0, [0.0]),
        (10.0005, [0.0]),  # shorter than a millisecond past the end: not worth a window
        (12.4, [0.0, 2.4]),
        (20.0, [0.0, 10.0]),
        (25.0, [0.0, 10.0, 15.0]),
    ],
)
def test_windows_cover_the_recording(duration, starts):
    assert WindowPolicy().starts(duration) == pytest.approx(starts)


def test_overlapping_windows():
    assert WindowPolicy(length_s=10, hop_s=5).starts(20) == [0, 5, 10]


def test_a_short_window_is_padded_and_a_long_one_is_cut():
    samples = np.arange(1, 4, dtype=np.float32)
    assert WindowPolicy(length_s=0.005).fit(samples, 1000).tolist() == [1, 2, 3, 0, 0]
    assert WindowPolicy(length_s=0.005, pad="repeat").fit(samples, 1000).tolist() == [1, 2, 3, 1, 2]
    assert WindowPolicy(length_s=0.002).fit(samples, 1000).tolist() == [1, 2]


def test_padding_keeps_other_axes_and_the_type():
    fitted = WindowPolicy(length_s=0.004).fit(np.ones((2, 3), np.float32), 1000)
    assert fitted.shape == (2, 4)
    assert fitted.dtype == np.float32


def test_aggregation():
    windows = np.array([[0.2, 0.9], [0.4, 0.1]])
    assert WindowPolicy().aggregate(windows) == pytest.approx([0.3, 0.5])
    assert WindowPolicy(aggregation="max").aggregate(windows) == pytest.approx([0.4, 0.9])


@pytest.mark.parametrize("wrong", [{"length_s": 0}, {"hop_s": -1}, {"pad": "mirror"}, {"lenght_s": 10}])
def test_wrong_policies_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        WindowPolicy(**wrong)
