"""A real HTTP server for downloads that can misbehave in every way a publisher's, or the line to it, does."""

import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 1 << 14


@dataclass(frozen=True)
class Reply:
    """How one GET is answered; the defaults are those of a server that does everything right.

    Attributes:
        status: Anything but 200 is sent at once, with an empty body.
        headers: Further headers; None for a value leaves a header out.
        body: Other bytes than the file's.
        cut: The connection ends after so many bytes of the body.
        ranges: Whether Range is honoured.
        chunked: Whether the body comes in chunks, without a length.
        pause_s: Pause after every 16 KiB.
        drop: The connection ends without any answer.
    """

    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    cut: int | None = None
    ranges: bool = True
    chunked: bool = False
    pause_s: float = 0.0
    drop: bool = False


@dataclass
class Asked:
    """One GET, and the bytes of its body that were sent."""

    path: str
    range: str | None
    if_range: str | None
    encoding: str | None
    authorization: str | None
    sent: int = 0
    done: bool = False


class FileServer(ThreadingHTTPServer):
    """Serves one file at every address; ``replies`` are used up by the GETs in order, the last one stays."""

    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.data = data
        self.etag: str | None = '"one"'
        self.head_status = 200
        self.replies: deque[Reply] = deque([Reply()])
        self.all_asked: list[Asked] = []

    @property
    def asked(self) -> list[Asked]:
        """Every GET; waits for those whose last bytes the client has but whose sender does not know it yet."""
        until = time.monotonic() + 10
        while not all(asked.done for asked in self.all_asked):
            assert time.monotonic() < until
            time.sleep(0.005)
        return self.all_asked

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, *replies: Reply) -> None:
        self.replies = deque(replies)

    def next_reply(self) -> Reply:
        return self.replies.popleft() if len(self.replies) > 1 else self.replies[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Tests look at ``asked`` instead."""

    def do_HEAD(self) -> None:
        self.send_response(self.server.head_status)
        self.send_header("Content-Length", str(len(self.server.data)))
        self.end_headers()

    def do_GET(self) -> None:
        reply, headers = self.server.next_reply(), self.headers
        asked = Asked(
            self.path, headers["Range"], headers["If-Range"], headers["Accept-Encoding"], headers["Authorization"]
        )
        self.server.all_asked.append(asked)
        try:
            if not reply.drop:
                for piece in self._pieces(reply):
                    self.wfile.write(piece)
                    asked.sent += len(piece)
                    time.sleep(reply.pause_s)
        finally:
            self.close_connection = asked.done = True

    def _pieces(self, reply: Reply) -> Iterator[bytes]:
        server = self.server
        data = server.data if reply.body is None else reply.body
        status, headers = reply.status, {"ETag": server.etag, "Content-Type": "application/octet-stream"}
        match = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        same = self.headers["If-Range"] in (None, server.etag)
        if status == 200 and match and reply.ranges and same:
            start, size = int(match.group(1)), len(data)
            status, data = (206, data[start:]) if start < size else (416, b"")
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}" if data else f"bytes */{size}"
        if status not in (200, 206):
            data = b""
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(data))
        self.send_response(status)
        for name, value in {**headers, **reply.headers}.items():
            if value is not None:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        data = data[: reply.cut]
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            if reply.chunked:
                self.wfile.write(b"%x\r\n" % len(piece))
            yield piece
            if reply.chunked:
                self.wfile.write(b"\r\n")
        if reply.chunked and reply.cut is None:
            self.wfile.write(b"0\r\n\r\n")


@contextmanager
def serving(data: bytes) -> Iterator[FileServer]:
    with FileServer(data) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
