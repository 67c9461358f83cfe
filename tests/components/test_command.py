"""The command line that all steps share."""

import os
import subprocess
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from components._command import build_parser, check_inputs, described, is_path, main
from tutti.config import Config
from tutti.errors import DataError, GateFailed

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Inputs:
    clips: Path = described("the clips")
    model: str = described("the model")
    champion: Path | None = described("the champion", optional=True)


@dataclass(frozen=True)
class Outputs:
    table: Path = described("the table")
    state: Path | None = field(default=None, metadata={"help": "the state", "keep": True})


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.ModuleType:
    """A step named ``trial`` that notes what it was given."""
    module = types.ModuleType("components.trial.step", "Tries something.")
    module.Inputs, module.Outputs = Inputs, Outputs  # type: ignore[attr-defined]

    def run(inputs: Inputs, outputs: Outputs, params: Config) -> dict[str, Any]:
        module.given = (inputs, outputs, params)  # type: ignore[attr-defined]
        outputs.table.write_text("done")
        return {"passed": True}

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "components.trial", types.ModuleType("components.trial"))
    monkeypatch.setitem(sys.modules, "components.trial.step", module)
    (tmp_path / "clips").mkdir()
    monkeypatch.chdir(tmp_path)
    return module


def arguments(**changes: str) -> list[str]:
    options = {"clips": "clips", "model": "rf", "table": "table", "params": str(ROOT / "params.yaml"), **changes}
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def test_options_become_fields(step: Any) -> None:
    assert main("trial", arguments(state="state.pt")) == 0
    inputs, outputs, params = step.given
    assert inputs == Inputs(Path("clips"), "rf", None)
    assert outputs == Outputs(Path("table"), Path("state.pt"))
    assert params.seed == 42


def test_help_tells_what_every_option_is(step: Any) -> None:
    text = build_parser("trial").format_help()
    assert all(
        words in text for words in ("Tries something.", "the clips", "the champion", "--state PATH", "--model NAME")
    )
    assert "5 gate failed" in text


def test_a_missing_input_is_named(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("trial", arguments(clips="nowhere")) == 3
    error = capsys.readouterr().err
    assert "--clips does not exist" in error
    assert "nowhere" in error
    assert "Traceback" not in error


def test_an_optional_input_may_be_missing(step: Any) -> None:
    # The registry is not there before anything was published.
    assert main("trial", arguments(champion="nowhere")) == 0


def test_an_output_that_exists_is_kept_unless_forced(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("table").write_text("precious")
    assert main("trial", arguments()) == 3
    assert "--force" in capsys.readouterr().err
    assert Path("table").read_text() == "precious"
    assert main("trial", [*arguments(), "--force"]) == 0
    assert Path("table").read_text() == "done"


def test_an_output_to_go_on_from_may_exist(step: Any) -> None:
    Path("state.pt").write_text("half done")
    assert main("trial", arguments(state="state.pt")) == 0


def test_wrong_parameters_are_exit_code_2(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("params.yaml").write_text("seed: much\n")
    assert main("trial", arguments(params="params.yaml")) == 2
    assert "seed" in capsys.readouterr().err


def test_a_verdict_comes_after_the_outputs(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def verdict(result: dict[str, Any]) -> None:
        assert result["passed"]
        raise GateFailed("not good enough")

    step.verdict = verdict
    assert main("trial", arguments()) == 5
    assert "trial: not good enough" in capsys.readouterr().err
    assert Path("table").read_text() == "done"


def test_debug_shows_the_stack(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main("trial", [*arguments(clips="nowhere"), "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_bug_keeps_its_stack_trace(step: Any) -> None:
    step.run = lambda *_: {}["missing"]
    with pytest.raises(KeyError):
        main("trial", arguments())


def test_an_interruption_is_no_bug(step: Any, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    step.run = interrupted
    assert main("trial", arguments()) == 130
    assert "interrupted" in capsys.readouterr().err


def test_paths_are_told_from_names() -> None:
    assert [is_path(Inputs, name) for name in ("clips", "model", "champion")] == [True, False, True]


def test_inputs_are_checked_outside_the_command_line_too(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--clips does not exist"):
        check_inputs(Inputs(tmp_path / "nowhere", "rf"))


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "components").glob("*/step.py")))
def test_every_step_explains_itself(name: str) -> None:
    environment = {**os.environ, "COLUMNS": "200"}
    command = [sys.executable, "-m", f"components.{name}", "--help"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert f"python -m components.{name}" in done.stdout
    assert "--force" in done.stdout
