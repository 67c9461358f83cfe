"""A real TorchServe with one package: started, waited for, and always stopped again."""

import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tutti.errors import ArtifactMismatch, ServerError
from tutti.serving import client
from tutti.serving.archive import MODEL_CONFIG, SERVER_CONFIG

log = logging.getLogger(__name__)

_POLL_S = 0.25
_STOP_S = 20.0
#: Log lines after which the worker will not come up by waiting longer.
_FATAL = ("Load model failed", "Backend worker process died", "Failed to load model", "Address already in use")


@dataclass(frozen=True)
class Ports:
    """TCP ports of one server, all on the loopback address."""

    inference: int = 8080
    management: int = 8081
    metrics: int = 8082
    grpc_inference: int = 7070
    grpc_management: int = 7071

    @classmethod
    def free(cls) -> "Ports":
        """Five ports that nobody listens on now."""
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(5)]
            for each in sockets:
                each.bind(("127.0.0.1", 0))
            return cls(*(each.getsockname()[1] for each in sockets))

    def require_free(self) -> None:
        """Checks that nobody listens on the ports; another server there would answer in place of ours.

        Raises:
            ServerError: Somebody does.
        """
        for name, port in vars(self).items():
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise ServerError(
                        f"the {name.replace('_', ' ')} port {port} is in use",
                        got=error.strerror,
                        hint="stop the server that is running (`make stop`), or choose another --port",
                    ) from error

    def properties(self) -> dict[str, str]:
        """The lines of config.properties."""
        addresses = {name: getattr(self, name) for name in ("inference", "management", "metrics")}
        return {
            **{f"{name}_address": f"http://127.0.0.1:{port}" for name, port in addresses.items()},
            "grpc_inference_port": str(self.grpc_inference),
            "grpc_management_port": str(self.grpc_management),
        }


def find_archive(package: Path) -> Path:
    """The package's model archive.

    Raises:
        ArtifactMismatch: The folder is no package.
    """
    archives = sorted(Path(package).glob("*.mar"))
    missing = [name for name in (SERVER_CONFIG, MODEL_CONFIG) if not (Path(package) / name).is_file()]
    if len(archives) != 1 or missing:
        got = f"no {missing[0]}" if missing else f"{len(archives)} archives"
        raise ArtifactMismatch(f"{package} is no package", got=got, hint="name the folder that the package step wrote")
    return archives[0]


class TorchServe:
    """A server as a context manager: it answers when the block begins and is gone when it ends.

    Args:
        package: The package to serve.
        ports: Its ports; the default ones when not given.
        startup_timeout_s: How long it may take until the model answers.
        log_path: Where everything it prints goes; kept after it ends. In its temporary folder, and shown only in
            errors, when not given.

    Attributes:
        url: Where recordings are sent.
    """

    def __init__(
        self,
        package: Path,
        *,
        ports: Ports | None = None,
        startup_timeout_s: float = 180.0,
        log_path: Path | None = None,
    ) -> None:
        self._archive = find_archive(package)
        self._package = Path(package)
        self._ports = ports or Ports()
        self._timeout_s = startup_timeout_s
        self._wanted_log = log_path
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self.name = self._archive.stem
        self.url = f"http://127.0.0.1:{self._ports.inference}/predictions/{self.name}"

    def __enter__(self) -> Self:
        require_programs()
        self._ports.require_free()
        with ExitStack() as stack:
            # Short, because the workers' sockets lie in it and a socket's path holds about 100 characters.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tutti-", ignore_cleanup_errors=True)))
            stack.enter_context(_terminated_like_interrupted())
            self._log = self._wanted_log or folder / "server.log"
            self._log.parent.mkdir(parents=True, exist_ok=True)
            stack.callback(self._stop)
            self._start(folder)
            self._wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def group(self) -> int:
        """Id of the process group that everything it started belongs to."""
        assert self._process is not None
        return self._process.pid

    def wait(self) -> int:
        """Blocks until the server ends by itself; returns its exit code."""
        assert self._process is not None
        return self._process.wait()

    def _start(self, folder: Path) -> None:
        config = folder / SERVER_CONFIG
        config.write_text(_with_properties(self._package / SERVER_CONFIG, self._ports.properties()), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "TS_CONFIG_FILE"}
        # One folder for its pid file, sockets, unpacked models and logs: servers side by side never meet.
        environment.update(
            TMPDIR=str(folder),
            TEMP=str(folder),
            LOG_LOCATION=str(folder / "logs"),
            METRICS_LOCATION=str(folder / "logs"),
        )
        command = [
            *(sys.executable, "-m", "ts.model_server", "--start", "--foreground", "--ncs"),
            *("--model-store", str(self._package.resolve())),
            *("--models", f"{self.name}={self._archive.name}", "--ts-config", str(config)),
        ]
        with open(self._log, "wb") as output:
            # A session of its own: the launcher does not pass signals on, so the whole group gets them.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        log.info("starting TorchServe at %s", self.url)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        begun = time.monotonic()
        while time.monotonic() - begun < self._timeout_s:
            code = self._process.poll()
            if code is not None:
                raise self._failure(f"TorchServe ended with exit code {code} before it was ready")
            if self._is_ready():
                log.info("TorchServe is ready after %.1f s", time.monotonic() - begun)
                return
            text = self._log_text()
            if any(line in text for line in _FATAL):
                raise self._failure("TorchServe cannot load the model")
            time.sleep(_POLL_S)
        raise self._failure(f"TorchServe was not ready within {self._timeout_s:g} s")

    def _is_ready(self) -> bool:
        try:
            status, body = client.get(f"http://127.0.0.1:{self._ports.management}/models/{self.name}")
        except ServerError:
            return False
        return status == 200 and any(worker["status"] == "READY" for worker in body[0]["workers"])

    def _log_text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _failure(self, what: str) -> ServerError:
        lines = self._log_text().splitlines()
        kept = self._log if self._wanted_log else None
        tail = "\n    ".join([line for line in lines if "Error" in line or "error" in line][-5:] + lines[-10:])
        return ServerError(what, got=f"the end of its log:\n    {tail}", hint=f"see {kept}" if kept else None)

    def _stop(self) -> None:
        if self._process is None:
            return
        # The launcher is reaped here, or it would stay in its group.
        end_group(self._process.pid, between=self._process.poll)
        self._process.wait()
        log.info("TorchServe is stopped")


def require_programs() -> None:
    """Checks that this machine can run TorchServe.

    Raises:
        ServerError: Java or TorchServe is missing.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else shutil.which("java")
    if java is None or not Path(java).exists():
        raise ServerError(
            "TorchServe needs Java, and there is none",
            got=f"JAVA_HOME={home}" if home else "no java on PATH",
            hint="install Java 17: apt-get install openjdk-17-jre-headless",
        )
    if importlib.util.find_spec("ts") is None:
        raise ServerError("TorchServe is not installed", hint="pip install 'tutti[serve]', or `make setup`")


def _with_properties(path: Path, changes: dict[str, str]) -> str:
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if line.partition("=")[0].strip() not in changes
    ]
    return "\n".join(lines + [f"{name}={value}" for name, value in changes.items()]) + "\n"


def _signal_group(group: int, number: int) -> bool:
    """Signals a process group; False when nobody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def end_group(group: int, *, between: Callable[[], Any] = lambda: None) -> None:
    """Ends a process group: first as TorchServe wishes, which then ends its workers, and what is left by force."""
    for number, patience in ((signal.SIGTERM, _STOP_S), (signal.SIGKILL, 5.0)):
        if not _signal_group(group, number):
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and _signal_group(group, 0):
            between()
            time.sleep(0.05)


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Turns SIGTERM into an exception while the block runs, so that what was started is stopped."""

    def interrupt(number: int, frame: FrameType | None) -> Any:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread, where signals never arrive
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
