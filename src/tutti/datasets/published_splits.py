"""The random splits that were published for OpenMIC-2018 with and without mixtures, replayed.

They divide clips, not artists, and one run's test clips are another run's training clips. Nothing here trains on them:
they say what the published numbers were measured on.

References:
    Multi-Label Musical Instrument Recognition, 2025. Its table has the 2,200 mixtures first (rows 0 to 2,199), then
    OpenMIC-2018's 20,000 clips by key.
"""

import numpy as np

#: Rows of mixtures in the published table, and of OpenMIC-2018 behind them.
MIXTURES, CLIPS = 2_200, 20_000

_SEED = 42


def shuffled_split(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training, validation and test rows: 80, 10 and 10 per cent of a shuffle.

    Args:
        rows: 22,200 for PaSST with mixtures and MS-CRNN; 20,000 (OpenMIC's clips alone) for PaSST without mixtures and
            CBAM-CNN, which adds all mixtures to its training rows.

    Returns:
        int64 [rows * 0.8], [rows * 0.1] and the rest, in drawing order.
    """
    order = np.arange(rows)
    np.random.default_rng(_SEED).shuffle(order)
    train, valid = int(0.8 * rows), int(0.1 * rows)
    return order[:train], order[train : train + valid], order[train + valid :]


def ensemble_split(clips: int = CLIPS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ensemble's training, validation and test clips of OpenMIC: scikit-learn's split, its test part halved.

    Returns:
        int64 [clips * 0.8], [clips * 0.1] and [clips * 0.1]; all mixtures are added to the training rows.
    """
    from sklearn.model_selection import train_test_split

    train, rest = train_test_split(np.arange(clips), test_size=0.2, random_state=_SEED)
    valid, test = train_test_split(rest, test_size=0.5, random_state=_SEED)
    return train, valid, test
