"""What the Kubeflow wrappers of the steps share: the image, and running a step on artifacts.

A wrapper (`component.py`) is a lightweight Kubeflow component: Kubeflow ships the source of its function alone, so the
function imports inside and does nothing but hand its arguments to `execute`. The image carries this repository and its
libraries; nothing is installed when a task starts.
"""

import dataclasses
import importlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from components._command import check_inputs, is_path
from tutti.config import parse_config
from tutti.errors import TuttiError
from tutti.progress import log_to_stderr

#: The image of every component; the compiler puts others in its place, per task (see pipelines/resources.py).
BASE_IMAGE = "tutti-cpu:0.1.0"

#: Names the file that gets the error of a failed task. Kubernetes shows /dev/termination-log beside the pod.
ERROR_FILE = "TUTTI_ERROR_FILE"


def _fields(cls: type, arguments: Mapping[str, Any]) -> Any:
    """The step's Inputs or Outputs from artifacts (anything with a ``path``), paths and names; empty means left out."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        given = arguments.get(field.name)
        plain = getattr(given, "path", given)
        if plain:
            values[field.name] = Path(plain) if is_path(cls, field.name) else plain
    return cls(**values)


def execute(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Runs the step ``name`` inside a Kubeflow task.

    Args:
        name: The step.
        arguments: The task's arguments: an artifact, a path or a name for each field of the step's Inputs and Outputs,
            and ``params``, the text of params.yaml. Others are ignored, so a wrapper may pass ``locals()``.

    Returns:
        What the step's ``run`` returns.

    Raises:
        SystemExit: The step refused; the reason is printed, and the exit code is the error's own.
    """
    log_to_stderr()
    step = importlib.import_module(f"components.{name}.step")
    try:
        params = parse_config(arguments["params"], where="the parameter 'params'")
        inputs, outputs = _fields(step.Inputs, arguments), _fields(step.Outputs, arguments)
        check_inputs(inputs)
        result: dict[str, Any] = step.run(inputs, outputs, params)
        # The quality gate's "no" chooses the pipeline's branch; every other verdict ends the run.
        if hasattr(step, "verdict") and name != "gate":
            step.verdict(result)
    except TuttiError as error:
        stop(name, error)
    return result


def stop(name: str, error: TuttiError) -> NoReturn:
    """Ends the task with the error's text and exit code, without a stack trace.

    Raises:
        SystemExit: Always.
    """
    target = os.environ.get(ERROR_FILE)
    if target:
        report = {"step": name, "exit_code": error.exit_code, "error": str(error)}
        Path(target).write_text(json.dumps(report), encoding="utf-8")
    print(f"{name}: {error}", file=sys.stderr, flush=True)
    raise SystemExit(error.exit_code)


def log_metrics(metrics: Any) -> None:
    """Shows a model's test metrics in the Kubeflow interface.

    Args:
        metrics: A Kubeflow Metrics artifact whose file is a metrics JSON.
    """
    for key, value in json.loads(Path(metrics.path).read_text(encoding="utf-8"))["test"].items():
        if isinstance(value, int | float):
            metrics.log_metric(f"test_{key}", float(value))
