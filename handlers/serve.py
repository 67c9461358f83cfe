"""Serves a package under TorchServe on this machine, and stops it again.

Without --package it serves the registry's champion, or artifacts/package when nothing was published yet. It stays in
the foreground until Ctrl-C or SIGTERM, and takes TorchServe and its workers with it when it ends. Addresses are
loopback ones; for any other deployment see k8s/.
"""

import argparse
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM
from typing import Any

from tutti.errors import ArtifactMismatch, ServerError, exit_code_of
from tutti.files import write_json
from tutti.progress import log_to_stderr
from tutti.serving.server import Ports, TorchServe, end_group

log = logging.getLogger("tutti.serve")

_STATE = Path("logs") / "server.json"
_LOG = Path("logs") / "server.log"
_STOP_S = 40.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m handlers.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 done, 6 no package, 7 the server cannot be started",
    )
    parser.add_argument("--package", type=Path, metavar="PATH", help="folder that the package step wrote")
    parser.add_argument("--registry", type=Path, default=Path("registry"), metavar="PATH", help="default: registry")
    parser.add_argument("--port", type=int, default=8080, help="first of five ports in a row (default: 8080)")
    parser.add_argument("--startup-timeout", type=float, default=180.0, metavar="SECONDS", help="default: 180")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--foreground", action="store_true", help="stay until stopped (the default)")
    how.add_argument("--background", action="store_true", help="return once it answers; --stop ends it")
    how.add_argument("--stop", action="store_true", help="stop the one that runs")
    return parser


def find_package(package: Path | None, registry: Path) -> Path:
    """The package to serve.

    Raises:
        ArtifactMismatch: There is none.
    """
    if package is not None:
        return package
    if (registry / "champion.json").is_file():
        from tutti.serving.registry import find_champion

        champion = find_champion(registry)
        if champion is not None:
            return champion.package
    fallback = Path("artifacts") / "package"
    if not fallback.is_dir():
        raise ArtifactMismatch(
            "there is nothing to serve", got=f"neither a champion in {registry} nor {fallback}", hint="run `dvc repro`"
        )
    return fallback


def serve(package: Path, port: int, startup_timeout_s: float) -> None:
    """Serves until interrupted."""
    ports = Ports(*range(port, port + 5)) if port != Ports.inference else Ports()
    with suppress(KeyboardInterrupt):
        with TorchServe(package, ports=ports, startup_timeout_s=startup_timeout_s, log_path=_LOG.resolve()) as server:
            write_json(_STATE, {"pid": os.getpid(), "group": server.group, "url": server.url})
            print(f"serving {package} at {server.url}\n  curl {server.url} -T recording.flac", flush=True)
            try:
                code = server.wait()
            finally:
                _STATE.unlink(missing_ok=True)
        raise ServerError("TorchServe ended by itself", got=f"exit code {code}", hint=f"see {_LOG}")


def start_in_background(arguments: list[str], startup_timeout_s: float) -> None:
    """Starts this program again, detached, and returns once it serves.

    Raises:
        ServerError: It did not come up.
    """
    _LOG.parent.mkdir(exist_ok=True)
    output = _LOG.with_name("serve.log")
    with open(output, "wb") as file:
        command = [sys.executable, "-m", "handlers.serve", *(word for word in arguments if word != "--background")]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + startup_timeout_s + _STOP_S
    while process.poll() is None and time.monotonic() < deadline:
        if _state() is not None:
            print(output.read_text(encoding="utf-8"), end="", flush=True)
            return
        time.sleep(0.2)
    process.terminate()
    raise ServerError("the server did not come up", got=output.read_text(encoding="utf-8").strip())


def stop() -> None:
    """Stops the server that runs here; does nothing when none does."""
    state = _state()
    if state is None:
        print("no server is running here")
        return
    if _is_ours(state["pid"]):
        os.kill(state["pid"], SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while _is_ours(state["pid"]) and time.monotonic() < deadline:
            time.sleep(0.1)
    # Its supervisor was killed: TorchServe itself may be left.
    if _is_ours(state["group"]):
        end_group(state["group"])
    _STATE.unlink(missing_ok=True)
    print("stopped")


def _state() -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(_STATE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if _is_ours(found["pid"]) or _is_ours(found["group"]):
        return found
    _STATE.unlink(missing_ok=True)
    return None


def _is_ours(pid: int) -> bool:
    """Whether the process is a server of ours, and not one that got the number later."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"handlers.serve" in words or b"ts.model_server" in words


def main(argv: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    arguments = _parser().parse_args(argv)
    log_to_stderr()

    def work() -> None:
        if arguments.stop:
            stop()
            return
        if (running := _state()) is not None:
            raise ServerError("a server is running here already", got=running["url"], hint="`make stop` stops it")
        if arguments.background:
            start_in_background(sys.argv[1:] if argv is None else argv, arguments.startup_timeout)
        else:
            package = find_package(arguments.package, arguments.registry)
            serve(package, arguments.port, arguments.startup_timeout)

    return exit_code_of(work, name="serve")


if __name__ == "__main__":
    raise SystemExit(main())
