"""What the published training of the two-stage networks got wrong, held against the training loop."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tutti.config import OptimiserParams
from tutti.frontends.stereo_waveform import StereoWaveformConfig
from tutti.models.cnn1d import Cnn1d
from tutti.models.network import Network
from tutti.models.tl_classifier import TlClassifier
from tutti.training.feature_store import FeatureStore, array_file
from tutti.training.loop import Inputs, Progress, Run, fit
from tutti.training.objectives import MultiLabel

BLOCKS = {"samples": 100, "channels": (4, 3), "kernels": (5, 3), "pools": (2, 4)}
EPOCHS, ROWS, TRAIN, BATCH = 5, 25, 18, 4


class Remembering(TlClassifier):
    """Keeps what its first layer was after the last step."""

    last: torch.Tensor

    def after_step(self, step: int) -> None:
        self.last = self.fc1.weight.detach().clone()


def train(network: Network, folder: Path) -> Progress:
    """Trains on noise, from 18 rows in batches of 4, validated on 7."""
    generator = np.random.default_rng(0)
    config = StereoWaveformConfig(sample_rate=8000)
    np.save(folder / array_file(config), generator.uniform(-0.5, 0.5, (ROWS, 2, 100)).astype(np.float32))
    labels = generator.integers(0, 2, (ROWS, 4)).astype(np.float32)
    inputs = Inputs(
        FeatureStore(folder, pd.DataFrame(), {}), config, from_samples=False, augment=False, device=torch.device("cpu")
    )
    run = Run(
        name="test",
        inputs=inputs,
        objective=MultiLabel(labels, np.ones(labels.shape, bool)),
        train_rows=np.arange(TRAIN),
        valid_rows=np.arange(TRAIN, ROWS),
        params=OptimiserParams(epochs=EPOCHS, batch=BATCH, learning_rate=0.05, patience=EPOCHS, select_by="loss"),
        seed=1,
    )
    return fit(network, run)


def test_batch_counters_count_training_batches_only(tmp_path: Path) -> None:
    """The published counters hold the validation passes, too: 27 x 2 x (109 + 36) where 27 x 109 were trained on."""
    torch.manual_seed(0)
    network = Cnn1d(n_classes=4, dropout=0.3, **BLOCKS)
    progress = train(network, tmp_path)
    # The network ends with the best epoch's weights and buffers.
    for number in (1, 2):
        assert network.get_buffer(f"bn{number}.num_batches_tracked") == progress.best_epoch * -(-TRAIN // BATCH)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_extractor_stays_and_the_best_epoch_is_kept(seed: int, tmp_path: Path) -> None:
    torch.manual_seed(seed)
    network = Remembering(n_classes=4, hidden=(10, 5), dropout=0.2, **BLOCKS)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    progress = train(network, tmp_path)
    after = network.state_dict()
    extractor = [name for name in after if name.startswith("extractor.")]
    assert len(extractor) == 2 * 7
    assert all(torch.equal(after[name], before[name]) for name in extractor)
    assert not torch.equal(after["fc1.weight"], before["fc1.weight"])
    # The published "best" weights were a reference to the live ones, and so the last epoch's.
    assert progress.best_epoch < EPOCHS
    assert not torch.equal(after["fc1.weight"], network.last)
