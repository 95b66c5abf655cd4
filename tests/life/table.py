"""Prints, at the end of a run, what came of each operation on each database of real life.

A plugin, as the rows come from other processes when tests run side by side.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import pytest

PROPERTY = "life"

Cells = Mapping[str, str]


def row_of(
    record_property: Callable[[str, object], None], place: int, head: str, cells: Cells
) -> None:
    """Have a row printed at this place among the others: its head, and by column what came out."""
    record_property(PROPERTY, [place, head, list(cells.items())])


def lines_of(rows: Mapping[str, Cells]) -> Iterable[str]:
    """The table as text; a row has its cells under the columns that any row has."""
    columns = list(dict.fromkeys(name for cells in rows.values() for name in cells))
    heads = max(map(len, rows))
    widths = {
        name: max(len(name), *(len(cells.get(name, "")) for cells in rows.values()))
        for name in columns
    }
    yield "  ".join([" " * heads, *(name.ljust(widths[name]) for name in columns)]).rstrip()
    for row, cells in rows.items():
        values = (cells.get(name, "").ljust(widths[name]) for name in columns)
        yield "  ".join([row.ljust(heads), *values]).rstrip()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the rows of all tests that recorded one."""
    told: list[tuple[int, str, Sequence[tuple[str, str]]]] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                told += [row for name, row in report.user_properties if name == PROPERTY]
    rows = {head: dict(cells) for _, head, cells in sorted(told)}
    if rows:
        terminalreporter.section("databases of real life")
        for line in lines_of(rows):
            terminalreporter.write_line(line)
