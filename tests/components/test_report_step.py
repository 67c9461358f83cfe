import json
from pathlib import Path

import pytest

from components._command import main
from tests.reports.report_factory import write_run

PARAMS = str(Path(__file__).parents[2] / "params.yaml")


def _arguments(paths: dict[str, Path], report: Path) -> list[str]:
    given = [item for name, path in paths.items() for item in (f"--{name}", str(path))]
    return [*given, "--report", str(report), "--params", PARAMS]


def test_the_command_writes_the_page_and_refuses_to_overwrite_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = {**write_run(tmp_path), "docs": tmp_path / "artifacts/validation"}
    report = tmp_path / "reports/html"
    assert main("report", _arguments(paths, report)) == 0
    text = (report / "index.html").read_text(encoding="utf-8")
    assert 'href="../../artifacts/validation/index.html"' in text
    assert (report / "leaderboard.png").stat().st_size > 1000
    assert main("report", _arguments(paths, report)) == 3
    assert "exists already" in capsys.readouterr().err
    (report / "stale.png").write_bytes(b"")
    assert main("report", [*_arguments(paths, report), "--force"]) == 0
    assert not (report / "stale.png").exists()


def test_smoke_and_docs_may_be_left_out(tmp_path: Path) -> None:
    paths = write_run(tmp_path, smoke=False)
    del paths["smoke"]
    assert main("report", _arguments(paths, tmp_path / "html")) == 0
    assert "not tested in a server yet" in (tmp_path / "html/index.html").read_text(encoding="utf-8")


def test_a_broken_input_leaves_nothing_half_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = write_run(tmp_path)
    evaluation = paths["evaluations"] / "rf/evaluation.json"
    evaluation.write_text(json.dumps({"model": "rf"}), encoding="utf-8")
    assert main("report", _arguments(paths, tmp_path / "reports/html")) == 3
    message = capsys.readouterr().err
    assert "rf/evaluation.json" in message
    assert "Traceback" not in message
    assert not (tmp_path / "reports/html").exists()
    assert not list((tmp_path / "reports").glob(".*"))
