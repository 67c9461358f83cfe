"""The command line that every step shares, made from the fields of its Inputs and Outputs."""

import argparse
import dataclasses
import importlib
import types
import typing
from pathlib import Path
from typing import Any

from tutti.config import load_config
from tutti.errors import DataError, exit_code_of
from tutti.progress import log_to_stderr


def described(text: str, *, optional: bool = False) -> Any:
    """A dataclass field with the help text that ``--help`` shows.

    Args:
        text: What the path or name is.
        optional: Whether it may be left out (it is then None).
    """
    if optional:
        return dataclasses.field(default=None, metadata={"help": text})
    return dataclasses.field(metadata={"help": text})


def is_path(cls: type, name: str) -> bool:
    """Whether the field ``name`` of a step's Inputs or Outputs is a path, not a name."""
    hint = typing.get_type_hints(cls)[name]
    return hint is Path or (isinstance(hint, types.UnionType) and Path in typing.get_args(hint))


def _add_options(parser: argparse._ArgumentGroup, cls: type) -> None:
    for field in dataclasses.fields(cls):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            dest=field.name,
            type=Path if is_path(cls, field.name) else str,
            required=field.default is dataclasses.MISSING,
            default=None,
            metavar="PATH" if is_path(cls, field.name) else "NAME",
            help=field.metadata["help"],
        )


def build_parser(name: str) -> argparse.ArgumentParser:
    """The argument parser of the step ``name``."""
    step = importlib.import_module(f"components.{name}.step")
    parser = argparse.ArgumentParser(
        prog=f"python -m components.{name}",
        description=step.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=(
            "exit codes: 0 done, 1 bug, 2 parameters, 3 data, 4 recording, 5 gate failed, 6 artifact altered, 7 server"
        ),
    )
    _add_options(parser.add_argument_group("inputs"), step.Inputs)
    _add_options(parser.add_argument_group("outputs"), step.Outputs)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: params.yaml)")
    parser.add_argument("--force", action="store_true", help="overwrite outputs that exist")
    parser.add_argument("--debug", action="store_true", help="show the stack trace of an error, and more log lines")
    return parser


def _values(cls: type, arguments: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(arguments, field.name) for field in dataclasses.fields(cls)}


def check_inputs(inputs: Any) -> None:
    """Raises `DataError` naming the first input path that does not exist."""
    for field in dataclasses.fields(inputs):
        value = getattr(inputs, field.name)
        if isinstance(value, Path) and field.default is dataclasses.MISSING and not value.exists():
            raise DataError(
                f"the input --{field.name.replace('_', '-')} does not exist",
                got=value,
                expected=field.metadata["help"],
                hint="run the step that makes it (`dvc repro` runs all of them), or `dvc pull` for data",
            )


def _check_outputs(outputs: Any) -> None:
    for field in dataclasses.fields(outputs):
        value = getattr(outputs, field.name)
        keep = field.metadata.get("keep", False)
        if isinstance(value, Path) and value.exists() and not keep:
            raise DataError(
                f"the output --{field.name.replace('_', '-')} exists already",
                got=value,
                hint="pass --force to replace it",
            )


def main(name: str, argv: list[str] | None = None) -> int:
    """Runs the step ``name`` from the command line.

    Returns:
        The exit code.
    """
    arguments = build_parser(name).parse_args(argv)
    log_to_stderr(verbose=arguments.debug)
    step = importlib.import_module(f"components.{name}.step")

    def work() -> None:
        inputs, outputs = (
            step.Inputs(**_values(step.Inputs, arguments)),
            step.Outputs(**_values(step.Outputs, arguments)),
        )
        params = load_config(arguments.params)
        check_inputs(inputs)
        if not arguments.force:
            _check_outputs(outputs)
        result = step.run(inputs, outputs, params)
        # A step whose verdict may be "no" (the gates) writes its result first and says so through `verdict`.
        if hasattr(step, "verdict"):
            step.verdict(result)

    return exit_code_of(work, name=name, debug=arguments.debug)
