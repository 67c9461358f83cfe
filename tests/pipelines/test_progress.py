"""The console of a local Kubeflow run."""

import io
import logging
from pathlib import Path

import pytest

from pipelines.progress import TaskProgress, task_progress


def test_tasks_become_lines_and_the_rest_goes_to_the_log() -> None:
    log, console = io.StringIO(), io.StringIO()
    progress = TaskProgress(log, console, {"train-2": "train passt"})
    # Output comes in pieces of any length, coloured.
    for piece in (
        "10:00:00.0 - INFO - Executing task \x1b[96m'train",
        "-2'\x1b[0m\n    noise\n",
        "10:00:09.0 - INFO - Task \x1b[96m'train-2'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m\n",
        "Executing task 'gate'\nTask 'gate' finished with status FAILURE\nExecuting task 'x'\n",
    ):
        progress.write(piece)
    lines = console.getvalue().splitlines()
    assert lines[0].split() == ["train", "passt", "ok", "0.0", "s"]
    assert lines[1].split() == ["gate", "failed", "0.0", "s"]
    assert progress.tasks == {"train passt": "SUCCESS", "gate": "FAILURE", "x": None}
    assert "noise" in log.getvalue()
    assert "\x1b" not in log.getvalue()


def test_prints_and_logging_of_the_block_go_to_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = logging.StreamHandler
    with task_progress(tmp_path / "logs/run.log", {}) as progress:
        print("to standard output")
        handler().emit(logging.makeLogRecord({"msg": "to standard error"}))
        print("Executing task 'mix'")
    assert capsys.readouterr().out.split() == ["mix"]
    assert progress.tasks == {"mix": None}
    assert (tmp_path / "logs/run.log").read_text().splitlines()[:2] == ["to standard output", "to standard error"]
