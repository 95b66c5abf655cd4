"""Every database of real life through every operation.

What is listed comes back bit for bit. What is healthy is never refused, and never called damaged.
What is broken is refused with SQLite's words unless the asker insists, and told wherever it is.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .case import Case, Kind
from .cases import CASES
from .others import other_like
from .pages import content_at, in_wal_mode, page_size_of, same
from .table import row_of
from .world import Life, Outcome

pytestmark = pytest.mark.django_db(transaction=True)

MODES = ("wal", "delete")
# Seconds; with hardly any a look begins and does not end, unless there is little to look at.
LOOKS = {"looked at": 60.0, "no time": 0.0, "hardly any": 1e-6}
ROWS = list(itertools.product(CASES, MODES, LOOKS))


def is_usual(number: int, mode: str, look: str) -> bool:
    """Whether the row is of those that each run goes through: of each case one in WAL mode and one
    in the other, one looked at and one not, changing from case to case."""
    at = list(LOOKS).index(look)
    return at < 2 and (number + MODES.index(mode) + at) % 2 == 0


def marked(case: Case, mode: str, look: str) -> Any:
    usual = is_usual(CASES.index(case), mode, look)
    marks = () if usual else (pytest.mark.torture,)
    return pytest.param(case, mode, look, marks=marks, id=f"{case}, {mode}, {look}")


class Row:
    """The operations on one case, each with what was expected of it and did not come."""

    def __init__(self, case: Case, mode: str, look: str, content: bytes) -> None:
        self.case, self.look, self.content = case, look, content
        self.head = f"{case.name} ({case.kind.name.lower()}), {mode}, {look}"
        self.cells: dict[str, str] = {}
        self.faults: list[str] = []

    def cell(self, operation: str, outcome: Outcome | None, *faults: str | None) -> None:
        """Note what came of an operation, and the faults that are not None."""
        found = [fault for fault in faults if fault]
        told = "ok" if outcome is None else str(outcome)
        self.cells[operation] = f"{told} !!" if found else told
        self.faults += [f"{operation}: {fault}" for fault in found]

    def comes_back(self, operation: str, outcome: Outcome, found: bytes) -> None:
        """A version must come back, and as it was; its job tells what is told of the version."""
        info = outcome.info or {}
        told = (info.get("damage", ""), info.get("unchecked", ""))
        silent = outcome.ok and told != (outcome.damage, outcome.unchecked)
        self.cell(
            operation,
            outcome,
            _not_refused(outcome),
            differs(found, self.content),
            f"its job tells {told}" if silent else None,
        )

    def made(
        self, operation: str, outcome: Outcome, *, insists: bool = False, imports: bool = False
    ) -> None:
        """A version of the case was asked for, of the database or of a file."""
        faults = self._of_making(outcome, insists=insists, of_all=imports)
        looked = imports or (self.look == "looked at" and not self.case.deep)
        if outcome.ok and self.case.kind is Kind.VALUES and looked and not self.case.untold:
            told = outcome.values or outcome.unchecked
            faults.append(None if told else "what is wrong in it is not told")
        self.cell(operation, outcome, *faults)

    def _of_making(self, outcome: Outcome, *, insists: bool, of_all: bool) -> list[str | None]:
        kind = self.case.kind
        if kind is Kind.NONE or (kind is Kind.DAMAGED and not insists):
            if outcome.ok and self.look != "looked at" and kind is Kind.DAMAGED:
                return self._of_telling(outcome, of_all=of_all)
            return [
                "is not refused" if outcome.ok else None,
                None if self._says_why(outcome.reason) else f"does not say why: {outcome.reason}",
            ]
        return [_not_refused(outcome), *self._of_telling(outcome, of_all=of_all)]

    def _says_why(self, reason: str) -> bool:
        return any(words in reason for words in self.case.says)

    def _of_telling(self, outcome: Outcome, *, of_all: bool) -> list[str | None]:
        """`of_all`: of what looks at all, however little time a backup may take for that."""
        if not outcome.ok:
            return []
        kind, looked = self.case.kind, of_all or self.look == "looked at"
        if kind is Kind.DAMAGED:
            known = outcome.damage or (not looked and outcome.unchecked)
            return [None if known else "its damage is not told"]
        called = f"is called damaged: {outcome.damage}" if outcome.damage else None
        if not self.content:
            return [called]  # there is nothing to look at, and nothing to say of it
        if not looked and self.look == "hardly any":
            return [called]
        if not looked:
            return [called, None if outcome.unchecked else "passes for checked"]
        if kind is Kind.HEALTHY and outcome.unchecked:
            return [called, f"is called unchecked: {outcome.unchecked}"]
        left_open = self.case.untold or (self.case.deep and not of_all)
        if kind is Kind.PARTLY and not outcome.unchecked and not left_open:
            return [called, "what was not checked is not told"]
        return [called]

    def verified(self, outcome: Outcome) -> None:
        """A verification looks at all, however little time there was before."""
        faults = self._of_telling(outcome, of_all=True)
        self.cell("verify", outcome, _not_refused(outcome), *faults)

    def moved_away(self, operation: str, life: Life, restore: Callable[[], Outcome]) -> None:
        """What nobody can lock is not written over; the refusal says what can be done, and that
        is done."""
        before = life.content
        outcome = restore()
        remedy = None if "moved away" in outcome.reason else f"no remedy: {outcome.reason}"
        self.cell(operation, outcome, differs(life.content, before), remedy)
        life.path.unlink()

    def kept(self, operation: str, outcome: Outcome) -> None:
        """What a restore has kept of the case before it wrote over it. Little time is spent on
        looking at it."""
        damage, unchecked = outcome.damage, outcome.unchecked
        if self.case.kind is Kind.DAMAGED:
            fault = None if damage or unchecked else "its damage is not told"
        else:
            fault = f"is called damaged: {damage}" if damage else None
        self.cell(operation, outcome, fault)


def _not_refused(outcome: Outcome) -> str | None:
    return None if outcome.ok else f"is refused: {outcome.reason}"


def differs(found: bytes, wanted: bytes) -> str | None:
    """How a content that came back differs from what was backed up."""
    if not wanted and len(found) == page_size_of(found) and not any(found[103:105]):
        return None  # a database that is open stays one of a page, without a table
    ours, theirs = same(found), same(wanted)
    if ours == theirs:
        return None
    pages = [n + 1 for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]]
    return f"{len(found)} bytes came back of {len(wanted)}; pages that differ: {pages[:9]}"


@pytest.fixture
def life(settings: Any) -> Life:
    settings.CHECK_SECONDS = LOOKS["looked at"]
    return Life()


@pytest.mark.parametrize(("case", "mode", "look"), [marked(*row) for row in ROWS])
def test_each_operation(
    life: Life,
    tmp_path: Path,
    settings: Any,
    record_property: Callable[[str, object], None],
    case: Case,
    mode: str,
    look: str,
) -> None:
    case.build(tmp_path / "case")
    row = Row(case, mode, look, in_wal_mode(content_at(tmp_path / "case"), yes=mode == "wal"))
    settings.CHECK_SECONDS = LOOKS[look]
    try:
        _go_through(life, row, other_like(row.content, tmp_path / "other", wal=mode == "wal"))
    finally:
        row_of(record_property, ROWS.index((case, mode, look)), row.head, row.cells)
    assert not row.faults, "\n".join([case.name, *row.faults])


def _go_through(life: Life, row: Row, other: bytes) -> None:
    life.put(row.content)
    plain = life.backup()
    row.made("backup", plain)
    insisting = life.backup(keep_damaged=True)
    row.made("insisting", insisting, insists=True)
    if differs(life.content, row.content):
        row.faults.append("a backup has changed the database")

    life.put(other)
    from_other = life.backup()
    assert from_other.ok, from_other.reason
    listed = plain if plain.ok else insisting
    if not listed.ok:
        _over_what_is_no_version(life, row, other, from_other.version)
        return
    version = listed.version
    row.cell("download", None, differs(downloaded := life.download(version), row.content))

    outcome = life.restore(version, safety=True)
    row.comes_back("restore", outcome, life.content)
    if row.case.locked_out:
        row.moved_away("undo", life, life.undo)
    else:
        outcome = life.undo()
        row.cell("undo", outcome, _not_refused(outcome), differs(life.content, other))
        row.kept("kept", life.kept())
        row.comes_back("redo", life.undo(), life.content)
        outcome = life.restore(from_other.version, safety=False)
        row.cell("replaced", outcome, _not_refused(outcome), differs(life.content, other))
        row.comes_back("no safety", life.restore(version, safety=False), life.content)
        life.path.unlink()
    row.comes_back("gone", life.restore(version, safety=True), life.content)
    row.comes_back("clone", *life.clone(version))
    row.verified(life.verify(version))

    taken = life.imported(downloaded)
    row.made("import", taken, imports=True)
    insisting = life.imported(downloaded, keep_damaged=True)
    row.made("insisting ", insisting, insists=True, imports=True)
    if insisting.ok:
        again = life.download(insisting.version)
        row.cell("again", None, differs(again, row.content))


def _over_what_is_no_version(life: Life, row: Row, other: bytes, version: int) -> None:
    """What can't be made a version can be put right by one, at least when it is moved away."""
    life.put(row.content)
    row.moved_away("replaced", life, lambda: life.restore(version, safety=True))
    life.put(row.content)
    row.moved_away("no safety", life, lambda: life.restore(version, safety=False))
    outcome = life.restore(version, safety=True)
    row.cell("gone", outcome, _not_refused(outcome), differs(life.content, other))
    row.made("import", life.imported(row.content), imports=True)
    insisting = life.imported(row.content, keep_damaged=True)
    row.made("insisting ", insisting, insists=True, imports=True)
