"""Shows on standard error how far a job is: a bar on a terminal, plain lines elsewhere.

Knows no Django: the remote client, which runs where there are no settings, uses it too.
"""

import os
import sys
import time
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

# A line for each step of so many percent, and one at least in so many seconds.
STEP_PERCENT = 10
STEP_SECONDS = 30.0


class Display(Protocol):
    """Where a job's way is shown."""

    def show(self, job: dict[str, Any]) -> None:
        """Show the job as its event tells it."""

    def say(self, text: str) -> None:
        """Show a remark."""

    def __enter__(self) -> "Display": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def display() -> Display:
    """A bar where standard error is a terminal that can redraw a line, else lines."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown"):
        return Bar()
    return Lines()


def percent_of(job: dict[str, Any]) -> int:
    """How much of the job is done, in whole percent."""
    total, remaining = job["info"]["total"], job["info"]["remaining"]
    if not total:
        return 100 if job["status"] == "done" and "error" not in job["info"] else 0
    return int(100 * (total - remaining) // total)


class Lines:
    """A line for each change of status, and some on the way."""

    def __init__(self) -> None:
        self.status = ""
        self.percent = 0
        self.told_at = 0.0

    def show(self, job: dict[str, Any]) -> None:
        percent, now = percent_of(job), time.monotonic()
        if (
            job["status"] != self.status
            or percent >= self.percent + STEP_PERCENT
            or (percent > self.percent and now >= self.told_at + STEP_SECONDS)
        ):
            self.status, self.percent, self.told_at = job["status"], percent, now
            self.say(f"{job['job']} {job['status']} {percent}%")

    def say(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def __enter__(self) -> Display:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return


class Bar:
    """A line that is drawn again and again."""

    def __init__(self) -> None:
        # Standard output is left alone: it may be a file that waits for nothing but JSON.
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr, force_terminal=True, highlight=False),
            redirect_stdout=False,
            redirect_stderr=True,
        )
        self.task = self.progress.add_task("queued", total=100)

    def show(self, job: dict[str, Any]) -> None:
        text = f"{job['job']} {job['status']}"
        self.progress.update(self.task, description=text, completed=percent_of(job))

    def say(self, text: str) -> None:
        self.progress.console.print(text, markup=False, soft_wrap=True)

    def __enter__(self) -> Display:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.progress.stop()
