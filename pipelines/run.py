"""Runs the Kubeflow pipeline: on this machine (--local, no cluster needed) or on a cluster (--host URL).

A local run has a registry of its own below --work, so that it never touches the champion of the DVC runs.
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.compile import add_all_models, compile_pipeline, read_params
from pipelines.progress import task_progress
from tutti.errors import ConfigError, DataError, GateFailed, TuttiError, exit_code_of

ROOT = Path(__file__).resolve().parents[1]
WORK = Path("artifacts/kubeflow")
EPILOG = "exit codes: 0 passed, 1 bug, 2 parameters, 3 data, 4 recording, 5 gate failed, 6 artifact altered, 7 server"

#: What the summary shows of every model, with its column's title.
COLUMNS = {
    "map": "mAP",
    "f1_macro_two_class": "two-class F1",
    "f1_macro": "F1",
    "auroc": "AUROC",
    "hamming": "Hamming loss",
}


class TaskFailed(TuttiError):
    """A task of the pipeline ended with an error; carries that error's exit code.

    Args:
        what: The task and its error.
        code: The exit code.
        log: The run's log.
    """

    def __init__(self, what: str, *, code: int, log: Path) -> None:
        super().__init__(what, hint=f"the whole log is {log}")
        self.exit_code = code  # type: ignore[misc]


@dataclass(frozen=True)
class Run:
    """A local run on disk.

    Attributes:
        folder: Holds a folder per task, with a file or folder per output.
        registry: Where it published.
        log: Everything that was printed.
        error: What ended it early, None when it published.
    """

    folder: Path
    registry: Path
    log: Path
    error: TuttiError | None

    def output(self, task: str, name: str) -> Path:
        """The file or folder that ``task`` wrote as its output ``name``."""
        return self.folder / task / name

    def champion(self) -> Path:
        """The folder of the ensemble that the registry names champion."""
        from tutti.evaluation.champion import POINTER

        return self.registry / str(json.loads((self.registry / POINTER).read_text(encoding="utf-8"))["path"])

    def decision(self) -> dict[str, Any] | None:
        """The gate's decision, None when the run did not get there."""
        return _read_json(self.output("gate", "decision"))

    def metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics documents by model, best mAP first and the ensemble last; those that the run got to."""
        models = [json.loads(path.read_text(encoding="utf-8")) for path in self.folder.glob("evaluate*/metrics")]
        models.sort(key=lambda document: -(document["test"]["map"] or 0.0))
        ensemble = _read_json(self.output("select", "metrics"))
        return {document["model"]: document for document in [*models, *([ensemble] if ensemble else [])]}


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def data_revision(root: Path = ROOT) -> str:
    """What names the versions of data and code for the cache: the hash in data.dvc and the code's revision."""
    import yaml

    from tutti.provenance import git_revision

    pointer = root / "data.dvc"
    data = yaml.safe_load(pointer.read_text())["outs"][0].get("md5", "unknown") if pointer.exists() else "unknown"
    return f"data {data}, code {git_revision()}"


def run_local(params: Path, data: Path, work: Path, registry: Path | None = None, *, all_models: bool = False) -> Run:
    """Runs the pipeline's tasks as processes of this machine, one after the other.

    Args:
        params: The parameters.
        data: The datasets.
        work: Folder for the tasks' outputs, the logs and, unless another is given, the registry.
        registry: Where the champion is kept.
        all_models: Whether models that are no candidates of the ensemble are trained, too.

    Returns:
        The run, whether or not it got to its end: see its ``error``.

    Raises:
        ConfigError: The parameters are wrong.
        DataError: There are no data.
    """
    import warnings

    import yaml
    from kfp import local

    from pipelines.resources import Images, load_resources
    from pipelines.training import training_pipeline

    if not data.is_dir():
        raise DataError("there are no data", got=data, hint="`dvc pull data.dvc` fetches them; or pass --data")
    work = work.resolve()
    registry = (registry or work / "registry").resolve()
    compiled = work / "pipeline.yaml"
    compile_pipeline(params, compiled, all_models=all_models)
    pipeline = training_pipeline(read_params(params, all_models=all_models), load_resources(), Images())

    # Resources and images mean nothing to a process of this machine; kfp would say so for every task.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"kfp\.local\..*")
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"kfp\.local\..*")
    known = set(work.glob("runs/*"))
    error_file = work / "error.json"
    error_file.unlink(missing_ok=True)
    environment = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)}
    os.environ.update(environment, TUTTI_ERROR_FILE=str(error_file))
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(work / "runs"), raise_on_error=True)
    titles = _titles(next(yaml.safe_load_all(compiled.read_text(encoding="utf-8"))))
    log = work / "logs" / "run.log"
    print(f"kubeflow, on this machine: {len(titles)} tasks at most; log: {shown(log)}", flush=True)
    failed = False
    with task_progress(log, titles) as progress:
        try:
            pipeline(data=str(data.resolve()), registry=str(registry), revision=data_revision())
        except RuntimeError:  # kfp's only word for a failed run; what failed is in its log
            failed = True
    new = set(work.glob("runs/*")) - known
    error = None
    if failed:
        task = next((task for task, status in progress.tasks.items() if status != "SUCCESS"), "the pipeline")
        error = _explain(task, _read_json(error_file), log)
    return Run(folder=new.pop() if new else work / "runs", registry=registry, log=log, error=error)


def _explain(task: str, error: dict[str, Any] | None, log: Path) -> TuttiError:
    if error is None:
        tail = "\n".join("    " + line for line in log.read_text(encoding="utf-8").strip().split("\n")[-15:])
        return TaskFailed(f"the task {task!r} failed; the end of the log:\n{tail}", code=1, log=shown(log))
    if error["exit_code"] == GateFailed.exit_code:
        return GateFailed(error["error"])
    return TaskFailed(f"the task {task!r} failed: {error['error']}", code=error["exit_code"], log=shown(log))


def _titles(ir: dict[str, Any]) -> dict[str, str]:
    """What people call each task of a compiled pipeline, by its name there."""
    components = ir["components"]
    graphs = [ir["root"]["dag"], *(part["dag"] for part in components.values() if "dag" in part)]
    return {
        task: spec["taskInfo"]["name"]
        for graph in graphs
        for task, spec in graph["tasks"].items()
        if "dag" not in components[spec["componentRef"]["name"]]
    }


def shown(path: Path) -> Path:
    """The path as people want to read it: from the current folder, where it lies below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def print_summary(metrics: dict[str, dict[str, Any]], decision: dict[str, Any] | None) -> None:
    """Prints every model's test metrics and the gate's decision with its reasons."""
    if metrics:
        data = next(iter(metrics.values()))["data"]
        kind = "synthetic test data" if data["synthetic"] else "test data"
        print(f"\n{kind} ({data['name']}):")
        print(f"  {'':<14}" + "".join(f"{title:>14}" for title in COLUMNS.values()))
        for name, document in metrics.items():
            values = (document["test"].get(key) for key in COLUMNS)
            print(f"  {name:<14}" + "".join(f"{'-':>14}" if v is None else f"{v:14.3f}" for v in values))
    if decision is not None:
        print(f"\ngate: {decision['decision']}")
        for reason in decision["reasons"]:
            print(f"  - {reason}")


def submit(host: str, params: Path, data: str, registry: str, *, no_cache: bool, all_models: bool) -> None:
    """Submits the pipeline to a cluster and waits for its end.

    Args:
        host: Address of the Kubeflow Pipelines API.
        params: The parameters.
        data: The folder of the datasets as the tasks see it.
        registry: The registry as the tasks see it.
        no_cache: Whether to run every task, whatever was cached.
        all_models: Whether models that are no candidates of the ensemble are trained, too.

    Raises:
        TaskFailed: The run did not succeed.
        ConfigError: The cluster cannot be reached.
    """
    import tempfile
    import warnings

    import kfp

    # It announces on every start that it is not made for the first version of Kubeflow Pipelines.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"kfp\.client\..*")
    with tempfile.TemporaryDirectory() as folder:
        compiled = Path(folder) / "training.yaml"
        compile_pipeline(params, compiled, all_models=all_models)
        try:
            client = kfp.Client(host=host)
            submitted = client.create_run_from_pipeline_package(
                str(compiled),
                arguments={"data": data, "registry": registry, "revision": data_revision()},
                enable_caching=False if no_cache else None,
            )
        except Exception as error:  # the client raises whatever its transport does
            raise ConfigError(
                "the pipeline could not be submitted",
                got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                expected=f"Kubeflow Pipelines at {host}",
                hint="check --host; a port-forward may have ended",
            ) from error
    print(f"submitted as {submitted.run_id}", flush=True)
    state = client.wait_for_run_completion(submitted.run_id, timeout=7 * 24 * 3600).state
    print(f"the run ended: {state}")
    if state != "SUCCEEDED":
        raise TaskFailed(f"the run {submitted.run_id} ended with {state}", code=1, log=Path(host))


def build_parser() -> argparse.ArgumentParser:
    """The command's argument parser."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--local", action="store_true", help="run the tasks as processes of this machine")
    where.add_argument("--host", metavar="URL", help="submit to the Kubeflow Pipelines API there, and wait")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: params.yaml)")
    parser.add_argument("--data", default="data", help="the datasets, as the tasks see them (default: data)")
    parser.add_argument("--work", type=Path, default=WORK, help=f"local: outputs and logs (default: {WORK})")
    parser.add_argument("--registry", help="where the champion is kept (default: registry below --work)")
    add_all_models(parser)
    parser.add_argument("--no-cache", action="store_true", help="cluster: run every task, whatever was cached")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error")
    return parser


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    arguments = build_parser().parse_args(argv)

    def work() -> None:
        if arguments.host:
            registry = arguments.registry or "registry"
            submit(
                arguments.host,
                arguments.params,
                arguments.data,
                registry,
                no_cache=arguments.no_cache,
                all_models=arguments.all_models,
            )
            return
        run = run_local(
            arguments.params,
            Path(arguments.data),
            arguments.work,
            Path(arguments.registry) if arguments.registry else None,
            all_models=arguments.all_models,
        )
        print_summary(run.metrics(), run.decision())
        if run.error is not None:
            raise run.error
        report = shown(run.output("report", "report"))
        print(f"\npublished in {shown(run.registry)}; the report is {report}/index.html")

    return exit_code_of(work, name="run", debug=arguments.debug)


if __name__ == "__main__":
    raise SystemExit(main())
