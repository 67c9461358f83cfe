"""Turns the output of a local Kubeflow run into one line per task on the console and a full log in a file."""

import io
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STARTED = re.compile(r"Executing task '(?P<task>[^']+)'")
_ENDED = re.compile(r"Task '(?P<task>[^']+)' finished with status (?P<status>\w+)")


class TaskProgress(io.TextIOBase):
    """A stream that keeps everything written to it in ``log`` and shows when tasks begin and end.

    Args:
        log: Where everything goes.
        console: Where the lines for people go.
        titles: What to call a task, by its name in the pipeline.
    """

    def __init__(self, log: TextIO, console: TextIO, titles: Mapping[str, str]) -> None:
        self._log = log
        self._console = console
        self._titles = titles
        self._rest = ""
        self._began = 0.0
        #: The titles of the tasks that were started, in order, with the status they ended with (None: not yet).
        self.tasks: dict[str, str | None] = {}

    def write(self, text: str) -> int:
        """Takes output in pieces of any length."""
        plain = _COLOUR.sub("", text)
        self._log.write(plain)
        self._log.flush()
        *lines, self._rest = (self._rest + plain).split("\n")
        for line in lines:
            self._look_at(line)
        return len(text)

    def writable(self) -> bool:
        """Always."""
        return True

    def _look_at(self, line: str) -> None:
        if started := _STARTED.search(line):
            title = self._title(started["task"])
            self.tasks[title], self._began = None, time.monotonic()
            self._console.write(f"  {title:<22} ")
        elif ended := _ENDED.search(line):
            self.tasks[self._title(ended["task"])] = ended["status"]
            word = "ok" if ended["status"] == "SUCCESS" else "failed"
            self._console.write(f"{word:<7}{time.monotonic() - self._began:7.1f} s\n")
        self._console.flush()

    def _title(self, task: str) -> str:
        return self._titles.get(task, task)


@contextmanager
def task_progress(log: Path, titles: Mapping[str, str]) -> Iterator[TaskProgress]:
    """Sends standard output and error of the block to the file ``log``, and a line per task to the console."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        progress = TaskProgress(file, sys.stdout, titles)
        with redirect_stdout(progress), redirect_stderr(progress):
            yield progress
