"""Running something in a process of its own, and what that took."""

import gc
import json
import os
import resource
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Seconds of time and of processors, megabytes of memory at the peak, bytes on the disk."""

    wall: float
    cpu: float
    peak: float
    stored: int = 0
    result: Any = None


def forked(work: Callable[[], Any]) -> Cost:
    """What `work` costs in a fresh child of this process; its result must be fit for JSON."""
    reading, writing = os.pipe()
    gc.collect()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            begun = time.perf_counter()
            result = work()
            wall = time.perf_counter() - begun
            with os.fdopen(writing, "w") as pipe:
                json.dump({"wall": wall, "result": result}, pipe)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit("a measurement failed; its error stands above")
    found = json.loads(told)
    return _cost(found["wall"], usage, found["result"])


def command(*arguments: str | Path, environment: dict[str, str] | None = None) -> None:
    """Run a command to its end; what it prints is passed over unless it fails."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{arguments[0]} failed: {done.stdout[-2000:]}")


def _cost(wall: float, usage: resource.struct_rusage, result: Any) -> Cost:
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, result=result)


def bytes_below(folder: Path) -> int:
    """The bytes of all files below a folder, or of one file."""
    if folder.is_file():
        return folder.stat().st_size
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Results:
    """What was measured, some times each; read as medians."""

    def __init__(self) -> None:
        self._costs: dict[tuple[str, str], list[Cost]] = defaultdict(list)

    def add(self, who: str, what: str, cost: Cost) -> None:
        self._costs[who, what].append(cost)
        print(f"  {who:24} {what:22} {cost.wall:8.2f} s {cost.stored / 1e6:9.2f} MB", flush=True)

    def has(self, who: str, what: str) -> bool:
        return (who, what) in self._costs

    def wall(self, who: str, what: str) -> float:
        return self._median(who, what, lambda cost: cost.wall)

    def stored(self, who: str, what: str) -> float:
        return self._median(who, what, lambda cost: cost.stored)

    def peak(self, who: str, what: str) -> float:
        return self._median(who, what, lambda cost: cost.peak)

    def rows(self) -> list[dict[str, Any]]:
        """All of it, as it is written to the file of results."""
        return [
            {
                "name": f"{who}: {what}",
                "wall_seconds": round(self.wall(who, what), 3),
                "cpu_seconds": round(self._median(who, what, lambda cost: cost.cpu), 3),
                "peak_megabytes": round(self.peak(who, what), 1),
                "stored_bytes": int(self.stored(who, what)),
                "rounds": len(costs),
            }
            for (who, what), costs in self._costs.items()
        ]

    def _median(self, who: str, what: str, of: Callable[[Cost], float]) -> float:
        values: Sequence[float] = [of(cost) for cost in self._costs[who, what]]
        return statistics.median(values)
