"""Setting up: what pip was told is told to uv, and a set-up checkout is left alone."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def translate(settings: str, *options: str, **environment: str) -> dict[str, str]:
    """The exports for the lines of `pip config list`, as the shell reads them."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/pip_settings.py", *options],
        input=settings, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    script = f"{done.stdout}\nenv"
    shell = subprocess.run(
        ["/bin/bash", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    pairs = (line.partition("=") for line in shell.stdout.splitlines())
    return {name: value for name, _, value in pairs if name.startswith(("UV_", "SSL_", "ALL_"))}


def test_settings_of_pip_reach_uv() -> None:
    settings = (
        "global.cert='/etc/ca.pem'\nglobal.extra-index-url='https://one.example/simple\\nhttps://two.example/simple'\n"
        "global.find-links='/srv/wheels /srv/more'\nglobal.index-url='https://main.example/simple'\nglobal.timeout='90'\n"
    )
    expected = {
        "SSL_CERT_FILE": "/etc/ca.pem",
        "UV_FIND_LINKS": "/srv/wheels,/srv/more",
        "UV_DEFAULT_INDEX": "https://main.example/simple",
        "UV_HTTP_TIMEOUT": "90",
    }
    assert translate(settings) == expected
    extra = {"UV_INDEX": "https://one.example/simple https://two.example/simple"}
    assert translate(settings, "--extra-indexes") == expected | extra


def test_variables_beat_files_and_sections_beat_global() -> None:
    settings = "global.index-url='a'\n:env:.index-url='c'\ninstall.index-url='b'\n"
    assert translate(settings) == {"UV_DEFAULT_INDEX": "c"}


def test_what_uv_was_told_itself_stays() -> None:
    assert translate("global.cert='/etc/ca.pem'\n", SSL_CERT_FILE="/mine.pem") == {}


def test_values_are_no_shell_code() -> None:
    assert translate("global.index-url=\"$(id);'x'\"\n") == {"UV_DEFAULT_INDEX": "$(id);'x'"}


@pytest.mark.parametrize("script", ["scripts/setup.sh", "scripts/demo.sh", ".ci/run"])
def test_scripts_are_valid_and_executable(script: str) -> None:
    path = ROOT / script
    subprocess.run(["/bin/bash", "-n", path], check=True)
    assert path.stat().st_mode & 0o111


def test_make_lists_its_targets() -> None:
    printed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "test", "lint", "serve", "stop", "clean"):
        assert f"make {target} " in printed


def test_the_lock_names_no_place() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert all("==" in line and "://" not in line and "+" not in line for line in lines)


def test_python_3_11_is_asked_for(tmp_path: Path) -> None:
    for name in ("scripts", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    script = tmp_path / "setup.sh"
    # The script works on the folder above its own; a copy must not find this checkout.
    text = (ROOT / "scripts/setup.sh").read_text(encoding="utf-8")
    script.write_text(text.replace('"$(dirname "${BASH_SOURCE[0]}")/.."', f'"{tmp_path}"'))
    environment = {"PATH": "/usr/bin:/bin", "PYTHON": "no-such-python"}
    done = subprocess.run(["/bin/bash", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Python 3.11 is needed" in done.stderr
    assert "no-such-python" in done.stderr
    assert not (tmp_path / ".venv").exists()
