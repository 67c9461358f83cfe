"""Writes which front ends the chosen models need: python -m pipelines.feature_plan.

The features step depends on this about the models and on nothing else. DVC tracks parameters by key and the models'
code by file, so without this stage a new learning rate or a changed layer would have every recording decoded again;
with it, the file stays the same and the features with it.
"""

import argparse
from pathlib import Path

from tutti.errors import exit_code_of


def write_plan(params: Path, output: Path) -> None:
    """Writes the plan for the models in ``params`` as JSON.

    Raises:
        ConfigError: The parameters are wrong, or the models do not fit into one run.
    """
    from tutti.config import load_config
    from tutti.files import write_json
    from tutti.training.features import plan_sets

    plans = {
        name: {
            "window": plan.window.model_dump(),
            "front_ends": {front_end.key: front_end.model_dump() for front_end in plan.front_ends},
            "sample_rates": plan.sample_rates,
        }
        for name, plan in plan_sets(load_config(params).models).items()
    }
    write_json(output, plans)


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.feature_plan", description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="parameters (default: params.yaml)")
    parser.add_argument("--output", type=Path, required=True, help="the JSON to write")
    arguments = parser.parse_args(argv)
    return exit_code_of(lambda: write_plan(arguments.params, arguments.output), name="feature_plan")


if __name__ == "__main__":
    raise SystemExit(main())
