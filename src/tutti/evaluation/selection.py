"""The select step: members in, one ensemble folder out.

Weights and thresholds come from validation clips alone. Only when they are fixed are the test clips looked at, once,
for the metrics document.
"""

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tutti.bag import Bag, Member, bag_digest, write_bag
from tutti.bundle import CONTRACT, Contract, bundle_digest, read_contract, verify_files
from tutti.config import Config
from tutti.errors import ArtifactMismatch, DataError
from tutti.evaluation.ensemble import Selection, align, combine, search
from tutti.evaluation.gates import Contender, compare
from tutti.evaluation.metrics import Metrics
from tutti.evaluation.predictions import (
    Predictions,
    load_predictions,
    per_class_table,
    save_csv,
    save_predictions,
)
from tutti.evaluation.summary import difference_dict, read_document, summarise
from tutti.evaluation.thresholds import choose_thresholds
from tutti.files import atomic_folder, sha256_file, write_json
from tutti.frontends import parse_front_end, require_listening
from tutti.provenance import record
from tutti.tasks import Task, get_task

log = logging.getLogger(__name__)

#: The metrics document beside a model's predictions.
DOCUMENT = "evaluation.json"
PREDICTIONS = "predictions.parquet"
PER_CLASS = "per_class.csv"


@dataclass(frozen=True)
class Trained:
    """A trained and evaluated model.

    Attributes:
        folder: Its bundle.
        contract: The bundle's contract.
        digest: The bundle's digest.
        predictions: On validation and test.
        data: On which data: name, synthetic, sha256.
    """

    folder: Path
    contract: Contract
    digest: str
    predictions: Predictions
    data: dict[str, Any]

    @property
    def task(self) -> Task:
        """What it decides."""
        return get_task(self.contract.task)


def read_trained(models: Path, evaluations: Path, names: Iterable[str]) -> dict[str, Trained]:
    """Reads bundles and their evaluations, and checks that they belong together.

    Args:
        models: Folder of bundles by model name.
        evaluations: Folder of evaluations by model name.
        names: The candidates, as in params.select.models; others in the folders are not looked at.

    Raises:
        DataError: A model was not trained or not evaluated.
        ConfigError: The input of a model only comes with its dataset.
        ArtifactMismatch: A bundle was altered, or is not the one that was evaluated, or models were evaluated on
            different data, or decide different tasks, or about other windows.
    """
    trained = {}
    for name in names:
        folder, evaluation = models / name, evaluations / name
        for path, step in ((folder, "train"), (evaluation, "evaluate")):
            if not path.is_dir():
                raise DataError(f"there is no {path}", hint=f"run the {step} step for {name}")
        contract, digest = read_contract(folder), bundle_digest(folder)
        verify_files(folder, contract)
        # The ensemble is served: every member has to hear what is sent to it.
        require_listening(f"{name}, a candidate under select.models,", [parse_front_end(contract.front_end)])
        document = read_document(evaluation / DOCUMENT)
        if document["digest"] != digest:
            raise ArtifactMismatch(
                f"the evaluation of {name} is of another bundle",
                got=f"{folder} is {digest}",
                expected=document["digest"],
                hint=f"run the evaluate step for {name} again",
            )
        predictions = load_predictions(evaluation / PREDICTIONS)
        if predictions.names != contract.labels:
            raise ArtifactMismatch(
                f"the predictions of {name} are not about its classes",
                got=", ".join(predictions.names),
                expected=", ".join(contract.labels),
                hint=f"run the evaluate step for {name} again",
            )
        trained[name] = Trained(folder, contract, digest, predictions, document["data"])
    _require_alike(trained)
    return trained


def write_ensemble(trained: Mapping[str, Trained], target: Path, params: Config) -> dict[str, Any]:
    """Selects the ensemble on validation, writes its folder, and measures it on test.

    Args:
        trained: The models to choose from, all of one task.
        target: Becomes a bag: ``bag.yaml``, ``members/``, ``predictions.parquet``, ``per_class.csv``, ``search.csv``,
            and ``evaluation.json``: the metrics document with ``best_single`` (the best member on its own, chosen on
            validation, with thresholds tuned in the same way) and ``gain`` (ensemble minus best single on test, with
            intervals).
        params: The run's parameters.

    Returns:
        The metrics document: that of any model, with ``members`` (weights).

    Raises:
        DataError: See `tutti.evaluation.ensemble.search`.
    """
    aligned = align({name: model.predictions for name, model in trained.items()})
    task = next(iter(trained.values())).task
    selection = search(
        {name: predictions.of("valid") for name, predictions in aligned.items()},
        step=params.select.step,
        thresholds=params.select.thresholds,
        objective=params.select.objective,
        threshold_metric=params.select.threshold_metric,
        standard_errors=params.select.standard_errors,
        seed=params.seed,
        frames=task.frames,
    )
    log.info("selected %s", ", ".join(f"{name} {weight:g}" for name, weight in selection.weights.items()))
    ensemble = next(iter(aligned.values())).with_probabilities(
        combine([aligned[name].probabilities for name in selection.weights], list(selection.weights.values()))
    )
    with atomic_folder(target) as folder:
        for name in selection.weights:
            _copy_bundle(trained[name], folder / "members" / name)
        save_predictions(ensemble, folder / PREDICTIONS)
        save_csv(selection.table, folder / "search.csv")
        valid, valid_document = _measure(ensemble, "valid", selection.thresholds, task, params)
        bag = _bag(selection, trained, valid_document, sha256_file(folder / PREDICTIONS), params)
        write_bag(folder, bag)
        # From here on nothing is chosen any more.
        test, test_document = _measure(ensemble, "test", selection.thresholds, task, params)
        save_csv(per_class_table({"valid": valid, "test": test}), folder / PER_CLASS)
        digest = bag_digest(folder)
        document = {
            "model": "ensemble",
            "preset": "+".join(sorted({trained[name].contract.preset for name in selection.weights})),
            "digest": digest,
            "data": bag.data,
            "members": selection.weights,
            "valid": valid_document,
            "test": test_document,
        }
        contender = Contender(digest, task, selection.thresholds, ensemble.of("test"))
        write_json(folder / DOCUMENT, document | _best_single(selection, aligned, trained, contender, params))
    return document


def _best_single(
    selection: Selection,
    aligned: Mapping[str, Predictions],
    trained: Mapping[str, Trained],
    ensemble: Contender,
    params: Config,
) -> dict[str, Any]:
    """What the ensemble is compared with: the best member on its own, and what the ensemble gains over it on test."""
    name = selection.best_single
    thresholds = _thresholds(aligned[name], params)
    gain = compare(
        ensemble,
        Contender(trained[name].digest, ensemble.task, thresholds, aligned[name].of("test")),
        params.evaluate,
        params.seed,
    )
    splits = {
        split: _measure(aligned[name], split, thresholds, ensemble.task, params)[1] for split in ("valid", "test")
    }
    return {
        "best_single": {"model": name, **splits},
        "gain": {metric: difference_dict(interval) for metric, interval in gain.items()},
    }


def _measure(
    predictions: Predictions, split: str, thresholds: Sequence[float], task: Task, params: Config
) -> tuple[Metrics, dict[str, Any]]:
    return summarise(predictions.of(split), thresholds, task, params.evaluate, params.seed)


def _thresholds(predictions: Predictions, params: Config) -> tuple[float, ...]:
    valid = predictions.of("valid")
    found = choose_thresholds(
        valid.probabilities,
        valid.labels,
        valid.mask,
        params.select.thresholds,
        metric=params.select.threshold_metric,
    )
    return tuple(map(float, found))


def _bag(
    selection: Selection,
    trained: Mapping[str, Trained],
    valid: Mapping[str, Any],
    predictions_sha256: str,
    params: Config,
) -> Bag:
    first = next(iter(trained.values()))
    return Bag(
        name=params.package.name,
        version=params.package.version,
        task=first.contract.task,
        members=tuple(
            Member(name=name, path=f"members/{name}", digest=trained[name].digest, weight=weight)
            for name, weight in selection.weights.items()
        ),
        thresholds=dict(zip(first.contract.labels, selection.thresholds, strict=True)),
        labels=first.contract.labels,
        window=first.contract.window,
        metrics={name: float(value) for name, value in valid.items() if isinstance(value, int | float)},
        data=first.data,
        provenance=record(
            params={"select": params.select.model_dump(mode="json"), "models": list(trained)},
            data={
                "manifest": first.data["sha256"],
                PREDICTIONS: predictions_sha256,
                **{f"models/{name}": model.digest for name, model in trained.items()},
            },
            seed=params.seed,
        ),
    )


def _copy_bundle(model: Trained, target: Path) -> None:
    """Copies the files that the contract lists: contents only, since a cache may have made the originals read-only."""
    target.mkdir(parents=True)
    for name in (CONTRACT, *model.contract.files):
        shutil.copyfile(model.folder / name, target / name)


def _require_alike(trained: Mapping[str, Trained]) -> None:
    for (first_name, first), (name, model) in pairwise(trained.items()):
        if first.task != model.task:
            raise ArtifactMismatch(
                f"{first_name} and {name} were made for different tasks",
                got=f"{first.task.name} and {model.task.name}",
                hint="name models of one task under select.models in params.yaml",
            )
        for what, one, other in (
            ("evaluated on different data", first.data, model.data),
            ("made for different windows", first.contract.window, model.contract.window),
        ):
            if one != other:
                raise ArtifactMismatch(
                    f"{first_name} and {name} were {what}",
                    got=f"{one} and {other}",
                    hint="run train and evaluate again for both, from the same features",
                )
