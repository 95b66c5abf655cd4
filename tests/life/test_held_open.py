"""Databases of real life that an application has open meanwhile, with changes in the -wal file."""

from pathlib import Path
from typing import Any

import pytest

from .case import Case, Kind
from .cases import CASES
from .others import other_like
from .pages import content_at, in_wal_mode
from .test_matrix import LOOKS, differs
from .world import Life

pytestmark = pytest.mark.django_db(transaction=True)

# One of each kind and of each way to be odd in each run, all of them in the long one.
USUAL = (
    "one table",
    "empty file",
    "pages of 65536",
    "auto vacuum full",
    "tokenizer of the application",
    "collation in a primary key",
    "table option of a newer sqlite",
    "check that old rows break",
    "broken cell pointers",
    "index that lacks rows",
    "schema that is broken",
    "file that ends early",
    "free list that runs in a circle",
)
KEPT = tuple(case for case in CASES if case.kind is not Kind.NONE and not case.locked_out)


def marked(case: Case) -> Any:
    marks = () if case.name in USUAL else (pytest.mark.torture,)
    return pytest.param(case, marks=marks, id=case.name)


@pytest.mark.parametrize("case", [marked(case) for case in KEPT])
def test_under_an_application_that_has_it_open(case: Case, tmp_path: Path, settings: Any) -> None:
    """It is backed up as it is with the changes, and comes back over what the application has
    open now, which reads what it is given at once; and what was there comes back too."""
    settings.CHECK_SECONDS = LOOKS["looked at"]
    case.build(tmp_path / "case")
    content = in_wal_mode(content_at(tmp_path / "case"), yes=True)
    life = Life()
    life.put(content)
    with life.held():
        held = life.content
        taken = life.backup(keep_damaged=True)
        assert taken.ok, taken.reason
        assert not differs(life.content, held), "a backup has changed the database"
    assert not differs(life.download(taken.version), held)
    # The application was killed: its -wal file is left, and nobody has it open.
    left = life.backup(keep_damaged=True)
    assert left.ok, left.reason
    assert not differs(life.download(left.version), held)
    assert not differs(life.content, held)

    life.put(other_like(content, tmp_path / "other", wal=True))
    with life.held() as application:
        other, read = life.content, application.reads()
        outcome = life.restore(taken.version, safety=True)
        assert outcome.ok, outcome.reason
        assert not differs(life.content, held)
        if case.kind in (Kind.HEALTHY, Kind.VALUES):
            assert application.reads() == entries(held)
        outcome = life.undo()
        assert outcome.ok, outcome.reason
        assert not differs(life.content, other)
        assert application.reads() == read
        outcome = life.undo()
        assert outcome.ok, outcome.reason
        assert not differs(life.content, held)
    outcome = life.undo()
    assert outcome.ok, outcome.reason
    assert not differs(life.content, other)


def entries(content: bytes) -> str:
    """How many entries an application finds in the schema of this database where it lies alone."""
    life = Life()
    life.put(in_wal_mode(content, yes=False))
    with life.held() as application:
        return application.reads()
