"""Asking a running server."""

import json
import urllib.error
import urllib.request
from typing import Any

from tutti.errors import ServerError


def post(
    url: str, data: bytes, content_type: str = "application/octet-stream", *, timeout_s: float = 120.0
) -> tuple[int, Any]:
    """Sends one request.

    Returns:
        The HTTP status, and the body: parsed JSON, or its text where it is no JSON.

    Raises:
        ServerError: Nobody answers there.
    """
    request = urllib.request.Request(url, data=data, headers={"Content-Type": content_type}, method="POST")
    return _open(request, timeout_s)


def get(url: str, *, timeout_s: float = 5.0) -> tuple[int, Any]:
    """Fetches one page; returns and raises as `post`."""
    return _open(urllib.request.Request(url), timeout_s)


def _open(request: urllib.request.Request, timeout_s: float) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return response.status, _parsed(response.read())
    except urllib.error.HTTPError as error:
        return error.code, _parsed(error.read())
    except OSError as error:
        raise ServerError(f"no answer from {request.full_url}", got=error, hint="is the server running?") from error


def _parsed(body: bytes) -> Any:
    text = body.decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except ValueError:
        return text
