"""Writes the Kubeflow pipeline as YAML: python -m pipelines.compile.

The models and their resources come from params.yaml and k8s/resources.yaml, the images from TUTTI_IMAGE_CPU and
TUTTI_IMAGE_GPU (name them by digest for a cluster).
"""

import argparse
import sys
from pathlib import Path

from tutti.config import load_config
from tutti.errors import exit_code_of

EPILOG = "exit codes: 0 done, 1 bug, 2 parameters"


def read_params(path: Path, *, all_models: bool = False) -> str:
    """The contents of params.yaml on one line, without comments.

    Unless ``all_models``, the models that are no candidates of the ensemble are left out: nobody waits for them then.

    kfp writes defaults into a comment at the top of the compiled YAML and breaks the file when one has several lines.
    And so a comment does not change the arguments that cached results are kept under.

    Raises:
        ConfigError: The file cannot be read, or is wrong.
    """
    import yaml

    load_config(path)
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not all_models:
        values["models"] = {name: values["models"][name] for name in values["select"]["models"]}
        values.pop("repeat", None)
        values.pop("compare", None)
    return yaml.safe_dump(values, default_flow_style=True, width=sys.maxsize, sort_keys=False).strip()


def compile_pipeline(params: Path, output: Path, *, all_models: bool = False) -> None:
    """Compiles the training pipeline for the models in ``params`` into ``output``, a YAML file; see `read_params`.

    Raises:
        ConfigError: The parameters or the table of resources are wrong.
    """
    from kfp.compiler import Compiler

    from pipelines.resources import Images, load_resources
    from pipelines.training import training_pipeline
    from tutti.files import atomic_path

    text = read_params(params, all_models=all_models)
    pipeline = training_pipeline(text, load_resources(), Images.from_environment())
    with atomic_path(output) as temporary:
        # The compiler wants to see the ending.
        made = temporary.with_name(f"{temporary.name}.yaml")
        Compiler().compile(pipeline, str(made))
        made.rename(temporary)


def add_all_models(parser: argparse.ArgumentParser) -> None:
    """Adds the option that takes in the models which are no candidates of the ensemble."""
    parser.add_argument(
        "--all-models", action="store_true", help="train every model of params.yaml, not only the candidates"
    )


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.compile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EPILOG,
    )
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: params.yaml)")
    parser.add_argument(
        "--output", type=Path, default=Path("pipelines/training.yaml"), help="default: pipelines/training.yaml"
    )
    add_all_models(parser)
    arguments = parser.parse_args(argv)

    def work() -> None:
        compile_pipeline(arguments.params, arguments.output, all_models=arguments.all_models)
        print(f"wrote {arguments.output}")

    return exit_code_of(work, name="compile")


if __name__ == "__main__":
    raise SystemExit(main())
