"""Writes what the steps depend on about the models: python -m pipelines.plan.

DVC tracks parameters by key and code by file, so without this stage a new learning rate or a changed layer would have
every recording decoded again, and a new model every other model trained again. FOLDER gets features.json (the front
ends and windows of each task) and models/<name>.json (a model's preset and the code it is made of); a file whose
contents stay the same makes nothing after it run.
"""

import argparse
import ast
import importlib
import inspect
from pathlib import Path
from typing import Any

from tutti.config import Config
from tutti.errors import exit_code_of

#: The packages whose modules a model is made of.
_PARTS = ("tutti.models", "tutti.frontends")

#: What only collects the others.
_COLLECTING = {"tutti.models", "tutti.frontends", "tutti.models.registry"}


def write_plan(params: Path, folder: Path) -> None:
    """Writes the plan for the models in ``params``.

    Raises:
        ConfigError: The parameters are wrong, or the models do not fit into one run.
    """
    from tutti.config import load_config
    from tutti.files import atomic_folder, write_json
    from tutti.training.plans import describe_plans, plan_sets

    config = load_config(params)
    with atomic_folder(folder) as target:
        write_json(target / "features.json", describe_plans(plan_sets(config)))
        for name in config.models:
            write_json(target / "models" / f"{name}.json", describe_model(name, config))


def describe_model(name: str, config: Config) -> dict[str, Any]:
    """A model's preset and the code it is made of, JSON-able."""
    from tutti.models import get_model

    entry = get_model(config.registry_name(name))
    preset = entry.preset(config.model_params(name).preset)
    modules = {entry.factory.__module__, type(preset.front_end).__module__}
    return {
        "model": entry.name,
        "task": entry.task,
        "pretraining": entry.pretraining,
        "procedure": entry.procedure,
        "options": preset.options,
        "pretraining_options": preset.pretraining,
        "front_end": preset.front_end.model_dump(mode="json"),
        "window": preset.window.model_dump(mode="json"),
        "code": _code(modules),
    }


def _code(modules: set[str]) -> dict[str, str]:
    """SHA-256 of each module and of those it imports from, within the packages of the parts."""
    from tutti.files import sha256_bytes

    digests: dict[str, str] = {}
    waiting = sorted(modules)
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        source = inspect.getsource(importlib.import_module(name))
        digests[name] = sha256_bytes(source.encode())
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_PARTS):
                waiting.extend({node.module} - _COLLECTING)
    return dict(sorted(digests.items()))


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: params.yaml)")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the folder to write")
    arguments = parser.parse_args(argv)
    return exit_code_of(lambda: write_plan(arguments.params, arguments.output), name="plan")


if __name__ == "__main__":
    raise SystemExit(main())
