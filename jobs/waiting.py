"""Tells of a job that was asked for and, if that is wanted, waits until it has ended.

Knows no Django: the remote client, which runs where there are no settings, uses it too.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

from jobs.progress import Display, display

# How long a job may wait for a worker before it is said, and how often it is said again.
QUEUED_SECONDS = 5.0
# As the service begins a text about what there was no time to look at.
_NOT_YET = "not looked at yet: "
QUEUED_AGAIN_SECONDS = 30.0


class Exit(IntEnum):
    """How a command ends. 2 is what argparse gives to a command line that it can't read."""

    WELL = 0
    REFUSED = 1
    USAGE = 2
    FAILED = 3
    NO_ANSWER = 4
    DAMAGED = 5
    INTERRUPTED = 130


class Unsuccessful(Exception):
    """The command did not do what it was asked for: why, for people, and how it exits."""

    def __init__(self, reason: str, code: Exit) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class News(Protocol):
    """Where the news of one job come from."""

    def news(self, seconds: float) -> list[dict[str, Any]]:
        """The job as each event since the last call tells it.

        Waits for the first, about this long; none may have come then. Raises Unsuccessful.
        """


class Output(Protocol):
    """Standard output, as Django wraps it or as it is."""

    def write(self, text: str, /) -> Any: ...

    def flush(self) -> None: ...


def deadline_after(timeout: float | None) -> float:
    """When so many seconds will have passed, by the monotonic clock; None: never."""
    return float("inf") if timeout is None else time.monotonic() + timeout


@dataclass(frozen=True)
class Asked:
    """A job that was asked for; `result` is what the wire contract answers.

    `outcome`: what is known of a job that has ended well, beyond what its events tell.
    `damaged`: the command's exit code if the version's database is known to be damaged.
    """

    result: dict[str, Any]
    begun: str
    ended: str
    outcome: Callable[[], Mapping[str, Any]] = dict
    damaged: Exit = Exit.WELL

    @property
    def token(self) -> str:
        return str(self.result["job.token"])


def conclude(
    asked: Asked, news: News, *, wait: bool, deadline: float, as_json: bool, out: Output
) -> Exit:
    """Tell of the job on `out`: lines or, at the end, one JSON object. Returns how the command
    ends: WELL or, of a job that was waited for, what `Asked.damaged` says. Raises Unsuccessful."""
    told = dict(asked.result)
    if not as_json:
        out.write(f"{asked.begun}: job {asked.token}\n")
        out.flush()
    try:
        if wait:
            _wait(asked, news, deadline, told)
            told |= asked.outcome()
            if "version" in told:
                told |= {name: told["info"].get(name) for name in ("damage", "unchecked")}
    finally:
        if as_json:
            out.write(json.dumps(told) + "\n")
            out.flush()
    if wait and not as_json:
        out.write(f"{asked.ended}\n")
        out.flush()
    warn(warnings_of(told | told.get("info", {})))
    return asked.damaged if wait and told.get("damage") else Exit.WELL


def warnings_of(told: Mapping[str, Any]) -> list[str]:
    """Warnings about the version that `told`, a result or a job's info, is about."""
    version = f"version {told.get('version')}"
    warnings = [f"{version}: {remark}" for remark in told.get("remarks", ())]
    if damage := told.get("damage"):
        warnings.append(f"the database of {version} is damaged: {damage}")
    # What there was only no time for yet is nothing to be warned of.
    if (unchecked := told.get("unchecked")) and not unchecked.startswith(_NOT_YET):
        warnings.append(f"{version} could not be checked in full: {unchecked}")
    if safety := told.get("safety"):
        warnings += [f"kept before the restore: {warning}" for warning in warnings_of(safety)]
    return warnings


def warn(warnings: Iterable[str]) -> None:
    """Tell of these on standard error."""
    for warning in warnings:
        sys.stderr.write(f"warning: {printable(warning)}\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """The text without what would steer a terminal: other people's names are in it."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _wait(asked: Asked, news: News, deadline: float, told: dict[str, Any]) -> None:
    told["status"] = "queued"
    try:
        with display() as shown:
            _follow(news, deadline, told, shown)
    except KeyboardInterrupt as error:
        reason = f"interrupted; the job {asked.token} goes on"
        raise Unsuccessful(reason, Exit.INTERRUPTED) from error
    except TimeoutError as error:
        reason = f"the job {asked.token} has not ended in time; it goes on"
        raise Unsuccessful(reason, Exit.NO_ANSWER) from error
    except Unsuccessful as error:
        reason = f"{error.reason}; the job {asked.token} goes on"
        raise Unsuccessful(reason, Exit.NO_ANSWER) from error
    rejected = told["status"] == "rejected"
    fate = "the job was rejected before it started" if rejected else "the job failed"
    if failure := told["info"].get("error"):
        reason = failure["info"].get("reason", failure["message"])
        raise Unsuccessful(f"{fate}: {printable(reason)}", Exit.FAILED)
    if rejected:
        raise Unsuccessful(fate, Exit.FAILED)


def _follow(news: News, deadline: float, told: dict[str, Any], shown: Display) -> None:
    """Keep `told` and the display up to date until the job has ended; raises TimeoutError."""
    remark_at = time.monotonic() + QUEUED_SECONDS
    while told["status"] not in ("done", "rejected"):
        now = time.monotonic()
        if now >= deadline:
            raise TimeoutError
        if now >= remark_at:
            remark_at = now + QUEUED_AGAIN_SECONDS
            if told["status"] == "queued":
                shown.say(
                    "no worker has taken the job yet: they are busy, an earlier job of the project"
                    " is still to be done, or none is running (manage.py serve or worker)"
                )
        for job in news.news(max(0.0, min(deadline, remark_at) - now)):
            told["status"], told["info"] = job["status"], job["info"]
            shown.show(job)
