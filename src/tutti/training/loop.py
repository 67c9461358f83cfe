"""The training loop of the networks: resumable after every epoch, with numbers that depend on the seed alone.

Every random choice of an epoch comes from streams named after that epoch, so no generator's state has to be saved: a
run that is interrupted and resumed ends in the same weights, bit by bit, as one that was not.
"""

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutti import seeds
from tutti.config import OptimiserParams
from tutti.errors import ConfigError, DataError
from tutti.frontends import FrontEndConfig, create_front_end
from tutti.models.network import Network
from tutti.progress import track
from tutti.training.checkpoint import load_state, save_state
from tutti.training.feature_store import SAMPLE_SCALE, FeatureStore
from tutti.training.objectives import Objective

log = logging.getLogger(__name__)


def pick_device() -> torch.device:
    """The first CUDA device, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Inputs:
    """Batches of model input from a feature set.

    Args:
        store: The set.
        front_end: Whose output the model takes.
        from_samples: Whether training computes it from the stored samples, drawn anew each time.
        augment: Whether training input is masked (and drawn anew) at all.
        device: Where batches go.
    """

    def __init__(
        self, store: FeatureStore, front_end: FrontEndConfig, *, from_samples: bool, augment: bool, device: torch.device
    ) -> None:
        self.device = device
        self._features = store.array(front_end)
        self._samples = store.samples(front_end.sample_rate) if from_samples and augment else None
        self._augment = augment
        self._front_end = create_front_end(front_end).to(device)
        self._encoded = False

    @torch.no_grad()
    def encode(self, model: Network, rows: np.ndarray, batch: int) -> None:
        """Replaces the features of ``rows`` by what the model's frozen first part makes of them, once and for all.

        Nothing is replaced where training input is drawn anew in every step, or where there is no such part.
        """
        if self._augment or self._encoded:
            return
        model.eval()
        first = model.encode(self.evaluation(rows[:1]))
        if first is None:
            return
        encoded = np.zeros((len(self._features), *first.shape[1:]), np.float32)
        for at in range(0, len(rows), batch):
            part = rows[at : at + batch]
            made = model.encode(self.evaluation(part))
            assert made is not None
            encoded[part] = made.cpu().numpy()
        self._features, self._encoded = encoded, True

    def logits(self, model: Network, batch: Tensor) -> Tensor:
        """What the model says of a batch that `training` or `evaluation` gave."""
        return model.decide(batch) if self._encoded else model(batch)

    def evaluation(self, rows: np.ndarray) -> Tensor:
        """float32 [n, ...] of ``rows`` int [n], as the front end gives it."""
        return torch.from_numpy(self._features[rows].astype(np.float32)).to(self.device, non_blocking=True)

    @torch.no_grad()
    def training(self, rows: np.ndarray, generator: torch.Generator) -> Tensor:
        """The same with the random changes of training."""
        if self._samples is not None:
            samples = torch.from_numpy(self._samples[rows]).to(self.device).float() / SAMPLE_SCALE
            return self._front_end.training_forward(samples, generator)
        features = self.evaluation(rows)
        return self._front_end.augment(features, generator) if self._augment else features


@dataclass(frozen=True)
class Run:
    """What one training run is made of.

    Attributes:
        name: Names the run's random streams and its progress.
        inputs: Model input by row.
        objective: Loss and scores.
        train_rows: Rows trained on, int [n].
        valid_rows: Rows that choose the epoch, int [m].
        params: Hyper-parameters.
        seed: The run's seed.
        weights: How often each training row is drawn, relative to the others, float [n]; None for once each.
        drop_last: Whether an epoch's last, partial batch is left out.
        state: File of the resumable state, None for none.
        fingerprint: What the state belongs to.
    """

    name: str
    inputs: Inputs
    objective: Objective
    train_rows: np.ndarray
    valid_rows: np.ndarray
    params: OptimiserParams
    seed: int
    weights: np.ndarray | None = None
    drop_last: bool = False
    state: Path | None = None
    fingerprint: str = ""

    def __post_init__(self) -> None:
        for rows, what in ((self.train_rows, "training"), (self.valid_rows, "validation")):
            if not len(rows):
                raise DataError(
                    f"{self.name} has no {what} clips", hint="see data.valid_fraction in params.yaml, and the manifest"
                )

    def steps_per_epoch(self) -> int:
        """Batches of an epoch, at least one."""
        whole, rest = divmod(len(self.train_rows), self.params.batch)
        return max(whole + (rest > 0 and not self.drop_last), 1)

    def batches(self, epoch: int) -> Iterator[np.ndarray]:
        """The epoch's rows, batch by batch: every row once, or drawn by weight with replacement."""
        draw = seeds.numpy_generator(self.seed, self.name, "order", epoch)
        if self.weights is None:
            order = draw.permutation(self.train_rows)
        else:
            share = self.weights / self.weights.sum()
            order = draw.choice(self.train_rows, size=len(self.train_rows), p=share)
        for step in range(self.steps_per_epoch()):
            yield order[step * self.params.batch : (step + 1) * self.params.batch]

    def learning_rate(self, step: int) -> float:
        """The rate of the step counted over all epochs; see ``schedule`` in `OptimiserParams`."""
        peak, warm_up = self.params.learning_rate, self.steps_per_epoch()
        if self.params.schedule == "constant":
            return peak
        if self.params.schedule == "step":
            done = min(step // warm_up, self.params.step_until or self.params.epochs)
            since = done - (self.params.step_from or self.params.step_every)
            drops = max(since // self.params.step_every + 1, 0)
            return peak * self.params.step_factor**drops
        if step < warm_up:
            return peak * (step + 1) / warm_up
        rest = max(warm_up * (self.params.epochs - 1), 1)
        return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / rest))


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        epoch: Epochs done.
        best_epoch: The epoch with most merit, counted from 1.
        best_merit: Its merit.
        best: Its weights.
        history: One row per epoch: ``epoch``, ``learning_rate``, ``train_loss`` and the share of right answers, both
            means over the epoch's steps, and ``valid_*`` scores.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_merit: float = -math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def fit(model: Network, run: Run) -> Progress:
    """Trains until the epochs or the patience are used up; the model ends with the best epoch's weights.

    On CUDA the forward pass runs in float16 with scaled gradients, and matrix products in TF32.

    Raises:
        DataError: The state file cannot be read.
        ConfigError: The loss is no longer a number.
    """
    device = run.inputs.device
    cuda = device.type == "cuda"
    if cuda:
        torch.set_float32_matmul_precision("high")
    model.to(device)
    rows = np.concatenate([run.train_rows, run.valid_rows])
    run.inputs.encode(model, rows, run.params.batch)
    optimiser = _optimiser(model, run.params)
    scaler = torch.amp.GradScaler("cuda", enabled=cuda)
    progress = _resume(model, optimiser, scaler, run)
    while progress.epoch < run.params.epochs and progress.epoch - progress.best_epoch < run.params.patience:
        row = _train_epoch(model, optimiser, scaler, run, progress.epoch)
        rows = run.valid_rows
        scores = run.objective.scores(predict(model, run.inputs, rows, run.params.batch), rows)
        progress.epoch += 1
        merit = run.objective.merit(scores, run.params.select_by)
        if merit > progress.best_merit:
            progress.best_merit, progress.best_epoch = merit, progress.epoch
            progress.best = {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
        row.update({f"valid_{name}": value for name, value in scores.items()})
        progress.history.append(row)
        log.info("%s: %s", run.name, ", ".join(f"{name} {value:.4g}" for name, value in row.items()))
        if run.state is not None:
            save_state(run.state, _snapshot(model, optimiser, scaler, run, progress))
    model.load_state_dict(progress.best)
    return progress


def _optimiser(model: Network, params: OptimiserParams) -> torch.optim.Optimizer:
    """Over the parameters that are trained; the frozen ones get neither gradients nor weight decay."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    cls = torch.optim.AdamW if params.optimiser == "adamw" else torch.optim.Adam
    return cls(trained, lr=params.learning_rate, betas=params.betas, weight_decay=params.weight_decay)


def _train_epoch(
    model: Network, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, run: Run, epoch: int
) -> dict[str, float]:
    torch.manual_seed(seeds.derive(run.seed, run.name, "epoch", epoch))
    generator = torch.Generator().manual_seed(seeds.derive(run.seed, run.name, "augment", epoch))
    model.train()
    steps, rate = run.steps_per_epoch(), 0.0
    seen: dict[str, list[Tensor]] = {}
    for step, rows in enumerate(track(run.batches(epoch), f"{run.name} {epoch + 1}", total=steps, unit="steps")):
        rate = run.learning_rate(epoch * steps + step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast(run.inputs.device.type, torch.float16, enabled=scaler.is_enabled()):
            features = run.inputs.training(rows, generator)
            logits = run.inputs.logits(model, features)
            extra = model.extra_loss(features, logits)
        loss = run.objective.loss(logits.float(), rows)
        if extra is not None:
            loss = loss + extra
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        if run.params.clip_norm is not None:
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(model.parameters(), run.params.clip_norm)
        scaler.step(optimiser)
        scaler.update()
        model.after_step(epoch * steps + step + 1)
        with torch.no_grad():
            measured = {"train_loss": loss.detach()}
            measured |= {f"train_{name}": share for name, share in run.objective.hits(logits, rows).items()}
        for name, value in measured.items():
            seen.setdefault(name, []).append(value)
    means = {name: float(torch.stack(values).mean()) for name, values in seen.items()}
    if not math.isfinite(means["train_loss"]):
        raise ConfigError(
            f"the training of {run.name} diverged in epoch {epoch + 1}",
            got=f"a mean loss of {means['train_loss']}",
            hint="lower its learning_rate in params.yaml, or set clip_norm",
        )
    return {"epoch": epoch + 1, "learning_rate": rate, **means}


@torch.inference_mode()
def predict(model: Network, inputs: Inputs, rows: np.ndarray, batch: int) -> Tensor:
    """Logits of ``rows`` in evaluation mode, float32 [n, ..., classes] on the CPU."""
    model.eval()
    starts = range(0, len(rows), batch)
    parts = [inputs.logits(model, inputs.evaluation(rows[first : first + batch])) for first in starts]
    return torch.cat(parts).float().cpu()


def _snapshot(
    model: Network, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, run: Run, progress: Progress
) -> dict[str, Any]:
    return {
        "fingerprint": run.fingerprint,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "scaler": scaler.state_dict(),
        "progress": vars(progress),
    }


def _resume(model: Network, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, run: Run) -> Progress:
    state = None if run.state is None else load_state(run.state, run.fingerprint)
    if state is None:
        return Progress()
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    scaler.load_state_dict(state["scaler"])
    progress = Progress(**state["progress"])
    log.info("%s: resumed after epoch %d", run.name, progress.epoch)
    return progress
