"""The handler with TorchServe's own context, for every way to send a recording and every batch size."""

import base64
import json

import pytest
from ts.context import Context, RequestProcessor

from handlers.tutti_handler import TuttiHandler
from tests.tiny import sound, write_test_bag
from tutti.errors import ArtifactMismatch


@pytest.fixture(scope="module")
def handler(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_test_bag(folder / "ensemble")
    handler = TuttiHandler()
    handler.initialize(make_context(folder))
    return handler


def make_context(folder="") -> Context:
    config = {"handler": {"maxSeconds": 30.0}}
    return Context("tutti", str(folder), {}, 8, None, "0.12.0", model_yaml_config=config)


def ask(handler, rows):
    context = make_context()
    context.request_ids = {index: f"id-{index}" for index in range(len(rows))}
    context.request_processor = [RequestProcessor({}) for _ in rows]
    answers = handler.handle(rows, context)
    assert len(answers) == len(rows)
    json.dumps(answers, allow_nan=False)
    assert all(context.get_response_content_type(index) == "application/json" for index in range(len(rows)))
    return [context.get_response_status(index)[0] for index in range(len(rows))], answers


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_no_requests(handler):
    assert handler.handle([], make_context()) == []
    assert handler.handle(None, make_context()) == []


@pytest.mark.parametrize(
    "row",
    [
        {"body": sound()},
        {"body": bytearray(sound())},
        {"data": sound()},
        {"file": sound()},
        {"recording": sound()},
        {"file": sound(), "comment": b"take 2"},
        {"body": {"data": b64(sound())}},
        {"body": {"audio": "data:audio/wav;base64," + b64(sound())}},
    ],
    ids=lambda row: "-".join(row) + type(next(iter(row.values()))).__name__,
)
def test_ways_to_send(row, handler):
    (status,), (answer,) = ask(handler, [row])
    assert status == 200
    assert answer == handler.predictor.predict(sound()).to_dict()


def test_list_of_base64(handler):
    (status,), (answer,) = ask(handler, [{"body": [b64(sound()), "%%%", b64(sound(2.0))]}])
    assert status == 200
    assert [item.get("duration_s") for item in answer] == [1.0, None, 2.0]
    assert answer[1]["error"]["code"] == "bad_request"
    assert ask(handler, [{"body": {"data": []}}])[1] == [[]]


@pytest.mark.parametrize(
    ("row", "status", "code"),
    [
        ({}, 400, "empty_audio"),
        ({"body": b""}, 400, "empty_audio"),
        ({"body": "plain text sent as text/plain"}, 415, "unsupported_audio"),
        ({"body": b"plain text"}, 415, "unsupported_audio"),
        ({"body": b'{"data": "malformed'}, 415, "unsupported_audio"),
        ({"body": {"data": "!!"}}, 400, "bad_request"),
        ({"body": {"data": 7}}, 400, "bad_request"),
        ({"body": {"x": 1, "y": 2}}, 400, "bad_request"),
        ({"body": 5}, 400, "bad_request"),
        ({"a": sound(), "b": sound()}, 400, "bad_request"),
        ({"body": sound(2.0)[:-2000]}, 422, "truncated_audio"),
        ({"body": sound(0.05)}, 422, "too_short"),
        ({"body": sound(31.0, rate=8000)}, 413, "too_long"),
    ],
)
def test_bad_requests(row, status, code, handler):
    (got,), (answer,) = ask(handler, [row])
    assert got == status
    error = answer["error"]
    assert set(error) == {"code", "message", "hint", "request_id"}
    assert (error["code"], error["request_id"]) == (code, "id-0")
    assert error["hint"]


def test_mixed_batch(handler):
    rows = [{"body": sound(1.0)}, {"body": b""}, {"data": sound(2.5)}, {"body": {"data": "?"}}, {"file": b"text"}]
    statuses, answers = ask(handler, rows)
    assert statuses == [200, 400, 200, 400, 415]
    assert [answer.get("duration_s") for answer in answers] == [1.0, None, 2.5, None, None]
    assert [answer["error"]["request_id"] for answer in answers if "error" in answer] == ["id-1", "id-3", "id-4"]


def test_the_module_has_the_one_class_that_torchserve_looks_for():
    from ts.utils.util import list_classes_from_module

    import handlers.tutti_handler as module

    assert list_classes_from_module(module) == [TuttiHandler]


def test_a_damaged_archive_fails_at_start(tmp_path):
    write_test_bag(tmp_path / "ensemble")
    (tmp_path / "ensemble" / "members" / "test_net" / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ArtifactMismatch, match="not the file that its contract describes"):
        TuttiHandler().initialize(make_context(tmp_path))
