"""What Savepoint wants to be, as ratios in one run; from the results, met or not."""

from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Results

RESTIC, BORG, ZSTD = "restic, online copy", "borg, online copy", "zstd -1 -T2"
OURS, READING, API = "Savepoint", "Savepoint, reading all", "SQLite backup API"


@dataclass(frozen=True)
class Goal:
    """`value` shall be at most `goal`, or at least where `least` is set."""

    name: str
    value: float
    goal: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.least else self.value <= self.goal

    def row(self) -> dict[str, Any]:
        sign = ">=" if self.least else "<="
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "goal": f"{sign} {self.goal:g}",
            "met": self.met,
        }


def of_versions(results: Results) -> list[Goal]:
    """The goals whose contestants were there."""
    wall, stored = results.wall, results.stored
    goals = []
    if results.has(ZSTD, "first"):
        goals += [
            Goal("first version: time / zstd's", wall(OURS, "first") / wall(ZSTD, "first"), 1.3),
            Goal(
                "first version: bytes / zstd's", stored(OURS, "first") / stored(ZSTD, "first"), 1.02
            ),
        ]
    if results.has(RESTIC, "first"):
        goals += [
            Goal(
                "first version: time / restic's", wall(OURS, "first") / wall(RESTIC, "first"), 0.5
            ),
            Goal("version b: restic's time / ours", wall(RESTIC, "b") / wall(OURS, "b"), 8, True),
            Goal(
                "version b: restic's bytes / ours",
                stored(RESTIC, "b") / stored(OURS, "b"),
                10,
                True,
            ),
            Goal("unchanged: restic's time / ours", wall(RESTIC, "a") / wall(OURS, "a"), 10, True),
            Goal(
                "unchanged, read whole: restic's time / ours",
                wall(RESTIC, "a") / wall(READING, "a"),
                10,
                True,
            ),
            Goal(
                "restore to a new file: time / restic's",
                wall(OURS, "restore to a new file") / wall(RESTIC, "restore to a new file"),
                1.0,
            ),
        ]
    if results.has(BORG, "b"):
        goals.append(
            Goal("version b: borg's bytes / ours", stored(BORG, "b") / stored(OURS, "b"), 10, True)
        )
    return [
        *goals,
        Goal("version b: bytes / the first's", stored(OURS, "b") / stored(OURS, "first"), 0.04),
        Goal("unchanged: bytes", stored(OURS, "a"), 1024),
        Goal("unchanged, read whole: bytes", stored(READING, "a"), 1024),
        Goal(
            "restore in place after b: backup API's time / ours",
            wall(API, "restore in place") / wall(OURS, "restore in place"),
            2,
            True,
        ),
        Goal(
            "peak memory, MB",
            max(results.peak(OURS, what) for what in ("first", "b", "d", "restore to a new file")),
            200,
        ),
    ]


def of_returns(results: Results, content_bytes: int) -> list[Goal]:
    """What it costs when a stored content comes back; the goals whose contestants were there."""
    wall, stored = results.wall, results.stored
    goals = [
        Goal("to and fro: bytes / the content's", stored(OURS, "to and fro") / content_bytes, 0.01),
        Goal(
            "import of a copy: bytes / the content's",
            stored(OURS, "import of a copy") / content_bytes,
            0.01,
        ),
    ]
    if results.has(RESTIC, "to and fro"):
        goals += [
            Goal(
                "to and fro: restic's time / ours",
                wall(RESTIC, "to and fro") / wall(OURS, "to and fro"),
                2,
                True,
            ),
            Goal(
                "repeated content: bytes / restic's",
                stored(OURS, "repeated content") / stored(RESTIC, "repeated content"),
                1.02,
            ),
        ]
    return goals


def of_growth(results: Results) -> Goal:
    """Whether a version costs as much time late as early."""
    early = results.wall(OURS, "growth, 2nd to 6th")
    return Goal(
        "growth: time of the 100th / the 2nd", results.wall(OURS, "growth, last five") / early, 1.5
    )
