"""How long an epoch of each model takes, beside the arithmetic it needs and what the machine can do."""

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tutti import seeds
from tutti.benchmarks.machine import describe_machine, matmul_gflops
from tutti.config import Config
from tutti.models import get_model
from tutti.models.network import Network
from tutti.tasks import get_task
from tutti.training.feature_store import FeatureStore
from tutti.training.fitting import Job, input_scale
from tutti.training.loop import Inputs, Run, pick_device
from tutti.training.objectives import objective_of

log = logging.getLogger(__name__)

#: Steps that are timed, after as many that are not counted.
_STEPS = 8
_WARM_UP = 2


def bench_training(features: Path, config: Config, names: list[str]) -> dict[str, Any]:
    """Times training steps of each model, and the fit of each forest.

    Args:
        features: The features folder.
        config: The run's parameters.
        names: Models of the section ``models``.

    Returns:
        JSON-able: ``machine`` (with ``matmul_gflops``, the limit) and ``models``, by name: preset, ``epoch_s``,
        ``clips_per_s``, ``macs`` (multiply-accumulates of one window's forward pass) and ``gflops`` reached, counting
        the backward pass as two forward ones; the last two are None for forests.
    """
    device = pick_device()
    measured = {}
    for name in names:
        entry, params = get_model(config.registry_name(name)), config.model_params(name)
        store = FeatureStore.open(features, get_task(entry.task).name)
        job = Job(name, entry, params, store, config.seed)
        measured[name] = {"preset": params.preset, **(_forest(job) if entry.family == "forest" else _network(job))}
        log.info("bench: %s: %.3f s an epoch", name, measured[name]["epoch_s"])
    return {
        "machine": {**describe_machine(), "matmul_gflops": round(matmul_gflops(device), 1)},
        "models": measured,
    }


def _forest(job: Job) -> dict[str, Any]:
    from tutti.training.fitting import fit_model

    begin = time.perf_counter()
    fit_model(job)
    took = time.perf_counter() - begin
    return {"epoch_s": took, "clips_per_s": len(job.training_rows) / took, "macs": None, "gflops": None}


def _network(job: Job) -> dict[str, Any]:
    params, preset, store = job.params.train, job.preset, job.store
    assert params is not None
    seeds.seed_everything(job.seed, "bench")
    network: Network = job.entry.build(job.params.preset)
    if network.scales_input:
        network.set_scaler(*input_scale(store.array(preset.front_end), store.mask, job.training_rows))
    device = pick_device()
    network.to(device)
    inputs = Inputs(
        store, preset.front_end, from_samples=preset.cache == "samples", augment=params.augment, device=device
    )
    objective = objective_of(get_task(job.entry.task), store.labels, store.mask)
    run = Run("bench", inputs, objective, job.training_rows, job.validation_rows, params, job.seed)
    inputs.encode(network, np.concatenate([run.train_rows, run.valid_rows]), params.batch)
    optimiser = torch.optim.AdamW([p for p in network.parameters() if p.requires_grad], lr=1e-5)
    generator = torch.Generator().manual_seed(job.seed)
    batches = [batch for _, batch in zip(range(_WARM_UP + _STEPS), _forever(run), strict=False)]
    network.train()
    took, clips = 0.0, 0
    for number, rows in enumerate(batches):
        begin = time.perf_counter()
        features = inputs.training(rows, generator)
        logits = inputs.logits(network, features)
        loss = objective.loss(logits.float(), rows)
        extra = network.extra_loss(features, logits)
        optimiser.zero_grad(set_to_none=True)
        (loss if extra is None else loss + extra).backward()
        optimiser.step()
        loss.item()  # waits for an accelerator
        if number >= _WARM_UP:
            took += time.perf_counter() - begin
            clips += len(rows)
    macs = _macs(network, inputs, job.training_rows[:1])
    rate = clips / took
    return {
        "epoch_s": len(job.training_rows) / rate,
        "clips_per_s": rate,
        "macs": macs,
        "gflops": 3 * 2 * macs * rate / 1e9,
    }


def _forever(run: Run) -> Any:
    epoch = 0
    while True:
        yield from run.batches(epoch)
        epoch += 1


def _macs(network: Network, inputs: Inputs, row: np.ndarray) -> int:
    """Multiply-accumulates of the part that is trained, for one window."""
    network.eval()
    batch = inputs.evaluation(row)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        inputs.logits(network, batch)
    return int(counter.get_total_flops()) // 2
