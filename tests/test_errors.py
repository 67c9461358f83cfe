import pytest

from tutti.errors import (
    ArtifactMismatch,
    AudioDecodeError,
    ConfigError,
    DataError,
    GateFailed,
    TuttiError,
    exit_code_of,
)


def test_a_message_says_what_got_expected_and_what_to_do():
    text = str(DataError("labels.csv is wrong", got="kazoo", expected="piano", hint="correct it"))
    assert text.splitlines() == [
        "labels.csv is wrong",
        "  got:      kazoo",
        "  expected: piano",
        "  to do:    correct it",
    ]
    assert str(DataError("alone")) == "alone"


def test_exit_codes_tell_the_kinds_apart():
    kinds = [TuttiError, ConfigError, DataError, AudioDecodeError, GateFailed, ArtifactMismatch]
    assert [kind.exit_code for kind in kinds] == [1, 2, 3, 4, 5, 6]


def test_every_audio_code_has_a_client_status():
    assert all(400 <= status < 500 for status in AudioDecodeError.STATUS.values())
    assert AudioDecodeError("no sound", code="empty_audio").status == 400
    with pytest.raises(ValueError, match="made_up"):
        AudioDecodeError("x", code="made_up")


def test_a_command_prints_what_a_person_can_act_on_and_lets_bugs_through(capsys):
    def refuse() -> None:
        raise GateFailed("not good enough", hint="train longer")

    assert exit_code_of(refuse, name="gate") == 5
    printed = capsys.readouterr().err
    assert printed.startswith("gate: not good enough\n")
    assert "Traceback" not in printed
    assert exit_code_of(refuse, debug=True) == 5
    assert "Traceback" in capsys.readouterr().err
    assert exit_code_of(lambda: None) == 0
    assert exit_code_of(lambda: 4) == 4

    def interrupt() -> None:
        raise KeyboardInterrupt

    assert exit_code_of(interrupt, name="train") == 130
    with pytest.raises(ZeroDivisionError):
        exit_code_of(lambda: 1 // 0)
