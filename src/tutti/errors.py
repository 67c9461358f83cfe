"""The errors Tutti raises on purpose: what is wrong, what was got, what was expected, what to do.

A command prints such an error as text, without a stack trace, and exits with its ``exit_code``. Anything else that
escapes is a bug and keeps its stack trace.
"""

import sys
import traceback
from collections.abc import Callable
from typing import ClassVar


class TuttiError(Exception):
    """Base of every error a person can act on.

    Args:
        what: One sentence that says what is wrong and where.
        got: The offending value, when it helps.
        expected: What would have been accepted.
        hint: What to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, got: object | None = None, expected: object | None = None, hint: str | None = None
    ) -> None:
        super().__init__(what)
        self.what = what
        self.got = got
        self.expected = expected
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.got is not None:
            lines.append(f"  got:      {self.got}")
        if self.expected is not None:
            lines.append(f"  expected: {self.expected}")
        if self.hint is not None:
            lines.append(f"  to do:    {self.hint}")
        return "\n".join(lines)


class ConfigError(TuttiError):
    """A parameter is unknown, missing or out of range (exit code 2)."""

    exit_code = 2


class DataError(TuttiError):
    """A dataset, manifest or label file is missing, cut short or contradicts itself (exit code 3)."""

    exit_code = 3


class AudioDecodeError(TuttiError):
    """A recording cannot be used (exit code 4).

    Args:
        what: One sentence that says what is wrong and where.
        code: Stable machine-readable reason, also the ``code`` of the REST error body: ``empty_audio``,
            ``unsupported_audio``, ``truncated_audio``, ``silent_audio``, ``too_short``, ``too_long``,
            ``invalid_samples``, ``bad_request``.
        got: The offending value, when it helps.
        expected: What would have been accepted.
        hint: What to do about it.
    """

    exit_code = 4

    #: HTTP status that TorchServe answers for each code.
    STATUS: ClassVar[dict[str, int]] = {
        "bad_request": 400,
        "empty_audio": 400,
        "too_long": 413,
        "unsupported_audio": 415,
        "truncated_audio": 422,
        "silent_audio": 422,
        "too_short": 422,
        "invalid_samples": 422,
    }

    def __init__(
        self,
        what: str,
        *,
        code: str,
        got: object | None = None,
        expected: object | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what, got=got, expected=expected, hint=hint)
        if code not in self.STATUS:
            raise ValueError(f"unknown audio error code {code!r}")
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status for this error, 4xx."""
        return self.STATUS[self.code]


class GateFailed(TuttiError):
    """The candidate may not ship; the champion stays (exit code 5)."""

    exit_code = 5


class ArtifactMismatch(TuttiError):
    """A file is not the one its contract or digest describes (exit code 6)."""

    exit_code = 6


class ServerError(TuttiError):
    """The model server cannot be started, or does not answer (exit code 7)."""

    exit_code = 7


def exit_code_of(work: Callable[[], int | None], *, name: str = "", debug: bool = False) -> int:
    """Runs a command's work; an error that a person can act on is printed as text and becomes the exit code.

    Args:
        work: What the command does; a number it returns is its exit code.
        name: Stands before the message on standard error.
        debug: Whether the stack trace is printed, too.

    Returns:
        0, or what the work returned; the error's exit code; 130 when interrupted.
    """
    prefix = f"{name}: " if name else ""
    try:
        return work() or 0
    except TuttiError as error:
        if debug:
            traceback.print_exc()
        print(f"{prefix}{error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{prefix}interrupted", file=sys.stderr)
        return 130
