"""The `tutti` command, as a person runs it."""

import csv
import json
import os
import subprocess
import sys
import time
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.tiny import sound, write_real_bag
from tutti.cli import app
from tutti.commands.render import bar
from tutti.labels import OPENMIC

_TUTTI = Path(sys.executable).with_name("tutti")


@dataclass(frozen=True)
class Outcome:
    returncode: int
    stdout: str
    stderr: str


def tutti(*arguments, cwd=None, stdin="") -> Outcome:
    """The command in this process, since importing torch for each call takes seconds."""
    with chdir(cwd or Path.cwd()):
        result = CliRunner().invoke(app, list(map(str, arguments)), input=stdin, env={"COLUMNS": "100"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def test_as_a_program(folder):
    command = [str(_TUTTI), "predict", "good.flac", "text.wav"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert result.returncode == 4
    assert "good.flac (12.0 s)" in result.stdout
    assert "text.wav is not audio" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    write_real_bag(folder / "artifacts" / "ensemble")
    (folder / "good.flac").write_bytes(sound(12.0, kind="FLAC"))
    (folder / "good.mp3").write_bytes(sound(3.0, kind="MP3"))
    (folder / "text.wav").write_text("no sound\n" * 20)
    (folder / "cut.wav").write_bytes(sound(3.0)[:-5000])
    return folder


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys, tutti.cli\n"
        "try:\n    tutti.cli.app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'numpy', 'soundfile'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for command in ("predict", "models", "train-on"):
        assert command in result.stdout
    assert "Exit codes" in result.stdout
    begun = time.perf_counter()
    version = subprocess.run([str(_TUTTI), "--version"], capture_output=True, text=True, check=True).stdout
    assert version.startswith("tutti 0.")
    assert time.perf_counter() - begun < 5  # well under one second on a machine that does nothing else


def test_models_as_json():
    rows = json.loads(tutti("models", "--json").stdout)
    assert {"cbam_cnn", "passt", "rf"} <= {row["name"] for row in rows}
    assert len({(row["name"], row["preset"]) for row in rows}) == len(rows)
    assert {row["preset"] for row in rows} == {"mini", "paper", "published"}
    needed = {"name", "preset", "task", "trainable_params", "total_params", "input_shape", "output_shape"}
    assert all(needed | {"system", "procedure"} <= set(row) for row in rows)
    mini = json.loads(tutti("models", "--json", "--preset", "mini").stdout)
    assert mini == [row for row in rows if row["preset"] == "mini"]


def test_models_have_an_output_for_each_frame_where_the_task_does():
    rows = json.loads(tutti("models", "--json", "--preset", "paper").stdout)
    shapes = {row["name"]: row["output_shape"] for row in rows}
    assert shapes["passt"] == [20]
    assert shapes["mfcc_transformer"] == [2048, 12]


@pytest.mark.parametrize("columns", [80, 120])
def test_models_in_a_narrow_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = CliRunner().invoke(app, ["models"]).stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert [line for line in lines if line != line.rstrip()] == []
    (passt,) = (line.split() for line in lines if line.startswith("passt "))
    assert passt == ["passt", "paper", "85,373,992", "passt_mel", "128×1000"]
    assert any("Koutini" in line for line in lines)
    assert any("irmas-4: which of four IRMAS instruments" in line for line in lines)
    # Each group of one system and task stands together, under one heading.
    headings = [line.partition(":")[0] for line in lines if " · " in line]
    assert len(headings) == len(set(headings)) >= 4


def test_models_of_other_sizes():
    assert "638,376" in tutti("models", "--preset", "mini").stdout
    sizes = [
        line.split()[-4:-3] for line in tutti("models", "--preset", "all").stdout.splitlines() if "passt_mel" in line
    ]
    assert sizes == [["mini"], ["paper"]]
    assert tutti("models", "--preset", "large").returncode == 2


def test_predict_table(folder):
    result = tutti("predict", "good.flac", "--timeline", cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "good.flac (12.0 s)" in result.stdout
    assert "0.0-10.0" in result.stdout
    assert "2.0-12.0" in result.stdout
    assert "█" in result.stdout


def test_predict_json(folder):
    one = json.loads(tutti("predict", "good.flac", "--json", cwd=folder).stdout)
    assert one["file"] == "good.flac"
    assert {item["name"] for item in one["instruments"]} == set(OPENMIC)
    assert len(one["windows"]) == 2
    result = tutti("predict", "good.flac", "text.wav", "cut.wav", "none.wav", "good.mp3", "--json", cwd=folder)
    assert result.returncode == 4
    documents = json.loads(result.stdout)
    assert [document["file"] for document in documents][-1] == "good.mp3"
    codes = [document.get("error", {}).get("code") for document in documents]
    assert codes == [None, "unsupported_audio", "truncated_audio", "bad_request", None]
    for name in ("text.wav", "cut.wav", "none.wav"):
        assert name in result.stderr
    assert "Traceback" not in result.stderr
    assert documents[0] == one


def test_predict_csv(folder):
    result = tutti(
        "predict", "text.wav", "good.mp3", "good.flac", "--csv", "--top", 3, "--model", "artifacts/ensemble", cwd=folder
    )
    assert result.returncode == 4
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert [row["file"] for row in rows] == ["good.mp3"] * 3 + ["good.flac"] * 3
    assert set(rows[0]) == {"file", "instrument", "probability", "present", "threshold"}
    result = tutti("predict", "good.flac", "--csv", "--timeline", "--hop", 1, cwd=folder)
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert len(rows) == 3 * 20
    assert sorted({float(row["start_s"]) for row in rows}) == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["good.flac", "--hop", "0"], 2, "hop"),
        (["good.flac", "--model", "nowhere"], 6, "no model bundle"),
        (["good.flac", "--json", "--csv"], 2, "exclude"),
        ([], 2, "Missing argument"),
    ],
)
def test_predict_refuses(arguments, code, message, folder):
    result = tutti("predict", *arguments, cwd=folder)
    assert result.returncode == code
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_predict_without_a_model(tmp_path):
    result = tutti("predict", "x.wav", cwd=tmp_path)
    assert result.returncode == 6
    assert "there is no model to predict with" in result.stderr


def test_debug_shows_the_stack_trace(folder):
    assert "Traceback" in tutti("predict", "text.wav", "--debug", cwd=folder).stderr


def test_show_answer(folder):
    answer = tutti("predict", "good.flac", "--json", cwd=folder).stdout
    shown = tutti("show-answer", stdin=answer)
    assert shown.returncode == 0
    assert "12.0 s" in shown.stdout
    refused = tutti("show-answer", stdin='{"error": {"code": "x", "message": "too loud", "hint": "turn it down"}}')
    assert refused.returncode == 4
    assert "turn it down" in refused.stderr
    assert tutti("show-answer", stdin="<html>").returncode == 4


def test_train_on_outside_a_checkout(monkeypatch, tmp_path):
    from tutti.commands import train_on
    from tutti.errors import ConfigError

    monkeypatch.setattr(train_on, "_MODULE", Path("pipelines") / "not_there.py")
    with pytest.raises(ConfigError, match="checkout"):
        train_on.find_checkout()


def test_bars():
    assert [bar(value, 4) for value in (0, 0.5, 1)] == ["", "██", "████"]
    assert bar(0.53, 4) == "██▏"
    assert bar(0.5, 4, plain=True) == "##"
