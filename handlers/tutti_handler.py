"""The TorchServe handler: reads the recordings out of the requests, asks the predictor, writes the answers.

It travels inside the model archive and imports nothing but the installed library. A recording can come as the raw
body, as a multipart field, or as base64 in JSON; a JSON list of base64 texts is answered by a list.
"""

import base64
import binascii
import logging
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tutti.errors import AudioDecodeError, TuttiError
from tutti.predictor import Prediction, Predictor

log = logging.getLogger(__name__)

_FIELDS = ("data", "body", "file", "audio")
_SHAPE = "bytes, a form field, or JSON with the field 'data'"
_FOLDER = "ensemble"


class TuttiHandler:
    """One worker's model; TorchServe calls `initialize` once and `handle` for every batch of requests."""

    def initialize(self, context: Any) -> None:
        """Loads the ensemble from the archive and answers one made-up recording, so that a worker that is up works."""
        properties = context.system_properties
        gpu = properties.get("gpu_id")
        self.max_seconds = float(context.model_yaml_config["handler"]["maxSeconds"])
        device = "cpu" if gpu is None else f"cuda:{gpu}"
        self.predictor = Predictor.from_path(Path(properties["model_dir"]) / _FOLDER, device)
        self.predictor.warm_up()
        name, version, digest = self.predictor.name, self.predictor.version, self.predictor.digest
        log.info("serving %s %s on %s, digest %s", name, version, device, digest)

    def handle(self, data: list[dict[str, Any]] | None, context: Any) -> list[Any]:
        """Answers a batch.

        Args:
            data: One mapping per request, from the name of a form field (``body`` for a raw body) to its content.
            context: TorchServe's context of the batch.

        Returns:
            One JSON-able answer per request, in order; the context carries each one's status. A request that cannot be
            answered gets its own status and leaves the others alone.
        """
        requests = [_recordings(row) for row in data or []]
        found = [item for items, _ in requests for item in items if isinstance(item, bytes)]
        answers = iter(self.predictor.predict_batch(found, max_seconds=self.max_seconds))
        results: list[Any] = []
        for index, (items, is_list) in enumerate(requests):
            outcomes = [next(answers) if isinstance(item, bytes) else item for item in items]
            request_id = context.get_request_id(index)
            context.set_response_content_type(index, "application/json")
            if is_list:
                results.append([_body(outcome, request_id) for outcome in outcomes])
                continue
            if isinstance(outcomes[0], TuttiError):
                status = HTTPStatus(getattr(outcomes[0], "status", 500))
                context.set_response_status(code=int(status), phrase=status.phrase, idx=index)
            results.append(_body(outcomes[0], request_id))
        return results


def _recordings(row: dict[str, Any]) -> tuple[list[bytes | AudioDecodeError], bool]:
    """A request's recordings, and whether it is to be answered by a list."""
    content = _field(row) if row else b""
    if isinstance(content, str):
        content = content.encode()  # a text/* body: no recording, and the decoder says so
    if isinstance(content, bytes | bytearray):
        return [bytes(content)], False
    inner = _field(content) if isinstance(content, dict) else content
    if isinstance(inner, list):
        return [_from_base64(item) for item in inner], True
    return [_from_base64(inner)], False


def _field(fields: dict[str, Any]) -> Any:
    """The field with one of the known names, or the only field there is."""
    named = next((fields[name] for name in _FIELDS if name in fields), None)
    return next(iter(fields.values())) if named is None and len(fields) == 1 else named


def _from_base64(value: Any) -> bytes | AudioDecodeError:
    try:
        if isinstance(value, str):
            return base64.b64decode(value.rpartition(",")[2] if value.startswith("data:") else value, validate=True)
        got = f"a JSON {type(value).__name__}"
    except (binascii.Error, ValueError) as error:
        got = f"no base64: {error}"
    return AudioDecodeError(
        "the request carries no recording",
        code="bad_request",
        got=got,
        expected=_SHAPE,
        hint='send the file itself, or {"data": "<the file in base64>"}',
    )


def _body(outcome: Prediction | TuttiError, request_id: str | None) -> dict[str, Any]:
    if isinstance(outcome, Prediction):
        return outcome.to_dict()
    details = [f"got {outcome.got}" if outcome.got is not None else "", f"expected {outcome.expected}"]
    error = {
        "code": getattr(outcome, "code", "internal"),
        "message": f"{outcome.what}: {', '.join(filter(None, details))}",
        "hint": outcome.hint,
        "request_id": request_id,
    }
    log.info("request %s refused: %s", request_id, error["code"])
    return {"error": error}
