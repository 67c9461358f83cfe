"""The infrastructure gate: the real server must give the golden answers, and refuse what is no recording."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutti.config import SmokeParams
from tutti.errors import ArtifactMismatch, GateFailed, ServerError
from tutti.files import sha256_tree
from tutti.serving import client
from tutti.serving.server import Ports, TorchServe, require_programs

log = logging.getLogger(__name__)

#: Requests sent at once in the second round, so that good and bad ones share batches.
_AT_ONCE = 4


@dataclass(frozen=True)
class Request:
    """One request and what must come back.

    Attributes:
        name: What it is.
        data: Its body.
        status: The HTTP status.
        code: The error's code, for a bad one.
        answer: The answer, for a good one.
    """

    name: str
    data: bytes
    status: int
    code: str | None = None
    answer: dict[str, Any] | None = None


def read_golden(package: Path) -> dict[str, Any]:
    """The package's golden.json.

    Raises:
        ArtifactMismatch: It is missing or no golden.json.
    """
    path = package / "golden" / "golden.json"
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        document["model"]["digest"], document["clips"][0]["answer"]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ArtifactMismatch(
            f"{path} holds no golden answers", got=error, hint="run the package step again"
        ) from error
    return document


def requests(package: Path) -> list[Request]:
    """The golden clips with their answers, and two bodies that are no recordings."""
    golden = [
        Request(clip["file"], (package / "golden" / clip["file"]).read_bytes(), 200, answer=clip["answer"])
        for clip in read_golden(package)["clips"]
    ]
    bad = [
        Request("zero bytes", b"", 400, code="empty_audio"),
        Request("text", b"this is no recording\n" * 50, 415, code="unsupported_audio"),
    ]
    return [golden[0], *bad, *golden[1:]]


def difference(answer: dict[str, Any], expected: dict[str, Any]) -> float:
    """Largest difference between two answers' probabilities; infinite when they are not about the same."""
    if answer["model"] != expected["model"] or abs(answer["duration_s"] - expected["duration_s"]) > 1e-6:
        return float("inf")
    ours = [{item["name"]: item["probability"] for item in document["instruments"]} for document in (answer, expected)]
    spans = [
        [(window["start_s"], window["end_s"]) for window in document["windows"]] for document in (answer, expected)
    ]
    if ours[0].keys() != ours[1].keys() or spans[0] != spans[1]:
        return float("inf")
    pairs = [ours]
    for one, other in zip(answer["windows"], expected["windows"], strict=True):
        pairs.append([one["probabilities"], other["probabilities"]])
    return max(abs(one[name] - other[name]) for one, other in pairs for name in other)


def check(request: Request, url: str, tolerance: float) -> tuple[float, str | None]:
    """Sends a request.

    Returns:
        How far the probabilities are off (0 for a bad request), and what is wrong, None when nothing is.
    """
    status, body = client.post(url, request.data)
    if status != request.status:
        return 0.0, f"{request.name}: status {status} instead of {request.status}"
    if request.answer is None:
        code = body.get("error", {}).get("code") if isinstance(body, dict) else None
        return 0.0, None if code == request.code else f"{request.name}: error code {code} instead of {request.code}"
    try:
        off = difference(body, request.answer)
    except (KeyError, TypeError):
        return 0.0, f"{request.name}: an answer of another shape"
    return off, None if off < tolerance else f"{request.name}: differs by {off:.2g}, allowed is less than {tolerance:g}"


def smoke_test(package: Path, params: SmokeParams) -> dict[str, Any]:
    """Serves the package on free ports and sends every request twice: one after the other, then several at once.

    Returns:
        The result, JSON-able and free of times: ``passed``, ``reasons``, ``model`` and ``package`` (digests),
        ``tolerance``, ``max_difference``, ``requests`` (number sent).

    Raises:
        ArtifactMismatch: The folder is no package.
        ServerError: There is no Java or no TorchServe on this machine.
    """
    golden, digest = read_golden(package), sha256_tree(package)
    wanted = requests(package)
    outcomes: list[tuple[float, str | None]] = []
    reasons: list[str] = []
    server = TorchServe(package, ports=Ports.free(), startup_timeout_s=params.startup_timeout_s)
    require_programs()
    try:
        with server:
            outcomes += [check(request, server.url, params.tolerance) for request in wanted]
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                outcomes += pool.map(lambda request: check(request, server.url, params.tolerance), wanted)
    except ServerError as error:
        log.error("smoke: %s", error)
        reasons.append(error.what)
    reasons += [reason for _, reason in outcomes if reason is not None]
    return {
        "passed": not reasons,
        "reasons": sorted(set(reasons)),
        "model": golden["model"]["digest"],
        "package": digest,
        "tolerance": params.tolerance,
        "max_difference": round(max((off for off, _ in outcomes if off < float("inf")), default=0.0), 6),
        "requests": len(outcomes),
    }


def require_pass(result: dict[str, Any]) -> None:
    """Lets a package through that passed.

    Raises:
        GateFailed: It did not; the message lists the reasons.
    """
    if not result["passed"]:
        raise GateFailed(
            "the package does not serve as it should",
            got="\n            ".join(result["reasons"]),
            hint="nothing was published; the champion stays",
        )
