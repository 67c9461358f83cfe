"""Starting and stopping the real TorchServe, and every way in which that can go wrong."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workplace import make_workplace
from tutti.errors import ArtifactMismatch, ServerError
from tutti.serving import client
from tutti.serving.server import Ports, TorchServe, find_archive

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory, config):
    return make_workplace(tmp_path_factory.mktemp("server"), config)


def processes_of(folder: Path) -> list[int]:
    """Processes that work in or were started with the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_no_package(tmp_path):
    with pytest.raises(ArtifactMismatch, match="no package"):
        find_archive(tmp_path)


def test_no_java(made, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ServerError) as caught, TorchServe(made.package, ports=Ports.free()):
        pass
    assert "openjdk-17-jre-headless" in str(caught.value)


def test_port_in_use(made):
    ports = Ports.free()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.management))
        taken.listen()
        with pytest.raises(ServerError, match=str(ports.management)), TorchServe(made.package, ports=ports):
            pass


def test_free_ports_differ():
    assert len(set(vars(Ports.free()).values())) == 5


def test_nobody_answers():
    with pytest.raises(ServerError, match="no answer"):
        client.get(f"http://127.0.0.1:{Ports.free().inference}/ping")


@pytest.mark.slow
def test_timeout_leaves_nothing_behind(made):
    with pytest.raises(ServerError, match="not ready within 1 s"):
        TorchServe(made.package, ports=Ports.free(), startup_timeout_s=1).__enter__()
    assert processes_of(made.package) == []


def wait_for(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.2)
    return condition()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, "stop"])
def test_serve_command(how, made, tmp_path):
    """Started in the background; ended by its own --stop, by SIGTERM, and by --stop after SIGKILL."""
    environment = {**os.environ, "PYTHONPATH": str(_REPOSITORY)}

    def serve(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "handlers.serve", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    port = Ports.free().inference
    ports = ("--port", str(min(port, 60000)))
    begun = serve("--package", str(made.package), "--background", *ports)
    try:
        assert begun.returncode == 0, begun.stderr
        url = f"http://127.0.0.1:{ports[1]}/predictions/tutti"
        assert url in begun.stdout
        status, answer = client.post(url, (made.package / "golden" / "01.flac").read_bytes())
        assert status == 200
        assert answer["duration_s"] == 2.0
        again = serve("--package", str(made.package), *ports)
        assert again.returncode == 7
        assert "already" in again.stderr
        if how != "stop":
            os.kill(json.loads((tmp_path / "logs" / "server.json").read_text())["pid"], how)
            if how == signal.SIGTERM:
                assert wait_for(lambda: not (tmp_path / "logs" / "server.json").exists(), 30)
    finally:
        ended = serve("--stop")
    assert ended.returncode == 0
    assert wait_for(lambda: processes_of(made.package) == [], 10)
    with pytest.raises(ServerError):
        client.get(f"http://127.0.0.1:{ports[1]}/ping")
    assert "no server is running" in serve("--stop").stdout
