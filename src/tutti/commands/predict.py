"""`tutti predict`: what plays in recordings."""

import json
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from tutti.commands import render
from tutti.errors import ArtifactMismatch, AudioDecodeError, TuttiError
from tutti.progress import log_to_stderr, track

#: Files that are predicted together, so that short ones share batches.
_TOGETHER = 8

Format = Literal["table", "json", "csv"]


def find_model(model: Path | None, registry: Path) -> Path:
    """The bundle or ensemble to predict with: the one named, else the registry's champion, else the last one selected.

    Raises:
        ArtifactMismatch: There is none.
    """
    if model is not None:
        return model
    if (registry / "champion.json").is_file():
        from tutti.serving.registry import find_champion

        champion = find_champion(registry)
        if champion is not None:
            return champion.ensemble
    selected = Path("artifacts") / "ensemble"
    if not selected.is_dir():
        raise ArtifactMismatch(
            "there is no model to predict with",
            got=f"neither a champion in {registry} nor {selected}",
            hint="name one with --model, or make one with `dvc repro`",
        )
    return selected


def predict(
    files: Sequence[Path],
    *,
    model: Path | None,
    registry: Path,
    output: Format,
    timeline: bool,
    top: int | None,
    hop_s: float | None,
    device: str,
    debug: bool,
) -> int:
    """Prints what plays in each file, and what is wrong with those that cannot be used on standard error.

    Returns:
        The exit code: 0, or that of the last file's error.

    Raises:
        ArtifactMismatch: There is no model, or it was altered.
        ConfigError: The model cannot listen to recordings.
    """
    log_to_stderr(verbose=debug)
    from tutti.predictor import Predictor

    predictor = Predictor.from_path(find_model(model, registry), device)
    predictor.require_listening()
    console = Console()
    documents: list[dict[str, Any]] = []
    code = 0
    if output == "csv":
        print(render.csv_header(timeline=timeline), end="")
    for file, outcome in _outcomes(predictor, files, hop_s):
        if isinstance(outcome, TuttiError):
            code = outcome.exit_code
            print(outcome, file=sys.stderr)
            if debug:
                traceback.print_exception(outcome)
            documents.append({"file": str(file), "error": _error(outcome)})
            continue
        answer = outcome.to_dict()
        if output == "json":
            documents.append({"file": str(file), **answer})
        elif output == "csv":
            print(render.csv_rows(answer, str(file), top=top, timeline=timeline), end="", flush=True)
        else:
            plain = render.is_plain(console)
            console.print(render.answer_table(answer, str(file), top=top, plain=plain))
            if timeline:
                console.print(render.timeline_table(answer, width=console.width, plain=plain))
    if output == "json":
        print(json.dumps(documents[0] if len(files) == 1 else documents, indent=2))
    return code


def _outcomes(predictor: Any, files: Sequence[Path], hop_s: float | None) -> Iterator[tuple[Path, Any]]:
    groups = [files[first : first + _TOGETHER] for first in range(0, len(files), _TOGETHER)]
    for group in track(groups, "predict", unit=f"groups of {_TOGETHER} files"):
        yield from zip(group, predictor.predict_batch(group, hop_s=hop_s), strict=True)


def _error(error: TuttiError) -> dict[str, Any]:
    code = error.code if isinstance(error, AudioDecodeError) else "internal"
    return {"code": code, "message": error.what, "hint": error.hint}


def show_answer() -> int:
    """Reads the server's JSON answer from standard input and prints it as `tutti predict` would.

    Returns:
        0, or 4 when the answer is an error or no answer at all.
    """
    text = sys.stdin.read()
    try:
        answer = json.loads(text)
        if "error" in answer:
            print(f"{answer['error']['message']}\n  to do: {answer['error']['hint']}", file=sys.stderr)
            return AudioDecodeError.exit_code
        console = Console()
        plain = render.is_plain(console)
        console.print(render.answer_table(answer, "answer", plain=plain))
        console.print(render.timeline_table(answer, width=console.width, plain=plain))
    except (ValueError, KeyError, TypeError):
        print(f"this is no answer of the server:\n{text[:500]}", file=sys.stderr)
        return AudioDecodeError.exit_code
    return 0
