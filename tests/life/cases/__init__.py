"""Databases as people have them. Each builder's docstring says what it makes and how it comes to
be; its kind says what is expected of Savepoint."""

from ..case import Case
from . import broken_values, damaged, healthy, no_database, partly

CASES: tuple[Case, ...] = (
    *healthy.SHELF.cases,
    *partly.SHELF.cases,
    *broken_values.SHELF.cases,
    *damaged.SHELF.cases,
    *no_database.SHELF.cases,
)
assert len({case.name for case in CASES}) == len(CASES)
