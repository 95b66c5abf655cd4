"""What SQLite's check says is told apart: what it proves, what is about values, what it can't judge."""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backups.engines.sqlite import SqliteEngine
from backups.engines.sqlite_check import Checked, check
from backups.errors import DatabaseDamaged, DatabaseUnreachable, NotADatabase

from .sqlite_files import PagesContent, connected, ignore, pages_of

PAGE = 4096
Make = Callable[[sqlite3.Connection], None]


def made(path: Path, make: Make) -> Path:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("BEGIN")
    make(connection)
    connection.execute("COMMIT")
    connection.close()
    return path


def schema_changed(connection: sqlite3.Connection, name: str, sql: str) -> None:
    """As another SQLite, or an application with more in it, would have left the schema."""
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def looked_at(path: Path, *, thorough: bool = True) -> Checked:
    with connected(path) as connection:
        return check(connection, ignore, thorough=thorough)


def ordered(one: str, other: str) -> int:
    return (one > other) - (one < other)


def by_case(one: str, other: str) -> int:
    return ordered(one.casefold(), other.casefold())


# --- healthy, and nothing can be held against them -----------------------------------------------


def unknown_collation(connection: sqlite3.Connection) -> None:
    connection.create_collation("phonebook", ordered)
    connection.execute("CREATE TABLE t(name TEXT PRIMARY KEY COLLATE phonebook) WITHOUT ROWID")
    connection.executemany("INSERT INTO t VALUES (?)", [("b",), ("a",), ("c",)])


def collation_of_another_order(connection: sqlite3.Connection) -> None:
    connection.create_collation("backwards", lambda one, other: ordered(other, one))
    connection.execute("CREATE TABLE t(name TEXT PRIMARY KEY COLLATE backwards) WITHOUT ROWID")
    connection.executemany("INSERT INTO t VALUES (?)", [("b",), ("a",), ("c",)])


def nocase_replaced(connection: sqlite3.Connection) -> None:
    connection.create_collation("NOCASE", by_case)
    connection.execute("CREATE TABLE t(name TEXT COLLATE NOCASE UNIQUE)")
    words = ["Ärger", "ärmel", "Zoo", "zebra", "Émile", "émile2", "Öl", "ölig"]
    connection.executemany("INSERT INTO t VALUES (?)", [(word,) for word in words])


def lower_replaced(connection: sqlite3.Connection) -> None:
    connection.create_function("lower", 1, lambda text: text.casefold(), deterministic=True)
    connection.execute("CREATE TABLE t(name TEXT)")
    connection.execute("CREATE INDEX by_lower ON t(lower(name))")
    connection.executemany("INSERT INTO t VALUES (?)", [("Ärger",), ("ÖL",), ("Zoo",)])


def like_replaced_in_a_partial_index(connection: sqlite3.Connection) -> None:
    connection.create_function("like", 2, lambda pattern, text: False, deterministic=True)
    connection.execute("CREATE TABLE t(name TEXT)")
    connection.execute("CREATE INDEX some ON t(name) WHERE name LIKE 'a%'")
    connection.executemany("INSERT INTO t VALUES (?)", [("a",), ("b",), ("c",)])


def unknown_function_in_an_index(connection: sqlite3.Connection) -> None:
    connection.create_function("stem", 1, lambda text: text[:2], deterministic=True)
    connection.execute("CREATE TABLE t(name TEXT)")
    connection.execute("CREATE INDEX by_stem ON t(stem(name))")
    connection.executemany("INSERT INTO t VALUES (?)", [("walking",), ("talking",)])


def unknown_function_in_a_check(connection: sqlite3.Connection) -> None:
    connection.create_function("plausible", 1, lambda value: True, deterministic=True)
    connection.execute("CREATE TABLE t(x CHECK (plausible(x)))")
    connection.execute("INSERT INTO t VALUES (1)")


def unknown_function_in_a_column(connection: sqlite3.Connection) -> None:
    connection.create_function("is_malformed", 1, lambda value: 0, deterministic=True)
    connection.execute("CREATE TABLE t(x, bad AS (is_malformed(x)) NOT NULL)")
    connection.execute("INSERT INTO t(x) VALUES (1)")


def index_that_is_empty_on_purpose(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x BLOB)")
    connection.execute("CREATE INDEX vectors ON t(x) WHERE 0")
    connection.execute("INSERT INTO t VALUES (x'00'), (x'01')")
    schema_changed(connection, "vectors", "CREATE INDEX vectors ON t(nearest(x))")


def unknown_module(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "INSERT INTO sqlite_schema VALUES ('table', 'v', 'v', 0,"
        " 'CREATE VIRTUAL TABLE v USING vec0(embedding float[4])')"
    )


def unknown_tokenizer(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE VIRTUAL TABLE notes USING fts5(body)")
    connection.execute("INSERT INTO notes VALUES ('one'), ('two')")
    schema_changed(
        connection, "notes", "CREATE VIRTUAL TABLE notes USING fts5(body, tokenize='own')"
    )


def json_that_is_none(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(body TEXT)")
    connection.execute("INSERT INTO t VALUES ('plain text')")
    connection.execute("ALTER TABLE t ADD COLUMN title TEXT AS (json_extract(body, '$.title'))")


def check_of_another_day(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(d TEXT)")
    connection.execute("INSERT INTO t VALUES ('1990-01-01')")
    schema_changed(connection, "t", "CREATE TABLE t(d TEXT CHECK (d <= date('now')))")


def newer_syntax(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("INSERT INTO t VALUES (5)")
    schema_changed(connection, "t", "CREATE TABLE t(x) LATER")


def newer_statement(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("CREATE INDEX i ON t(x)")
    connection.execute("INSERT INTO t VALUES (5)")
    schema_changed(connection, "t", "CREATE BITEMPORAL TABLE t(x)")


def words_of_errors_as_names(connection: sqlite3.Connection) -> None:
    connection.execute('CREATE TABLE "database disk image is malformed"(x NOT NULL)')
    connection.execute('CREATE TABLE "wrong # of entries in index i"(x)')
    connection.execute("INSERT INTO \"database disk image is malformed\" VALUES ('ok')")
    connection.execute(
        'CREATE INDEX "row 1 missing from index i" ON "wrong # of entries in index i"(x)'
    )


HEALTHY: tuple[Make, ...] = (
    unknown_collation, collation_of_another_order, nocase_replaced, lower_replaced,
    like_replaced_in_a_partial_index, unknown_function_in_an_index, unknown_function_in_a_check,
    unknown_function_in_a_column, index_that_is_empty_on_purpose, unknown_module,
    unknown_tokenizer, json_that_is_none, check_of_another_day, newer_syntax, newer_statement,
    words_of_errors_as_names,
)  # fmt: skip
# Of these all can be judged, so nothing is said.
JUDGED = {
    unknown_function_in_a_check, check_of_another_day, words_of_errors_as_names,
}  # fmt: skip


@pytest.mark.parametrize("make", HEALTHY)
@pytest.mark.parametrize("thorough", [False, True])
def test_what_an_application_brings_along_is_no_damage(
    tmp_path: Path, make: Make, thorough: bool
) -> None:
    checked = looked_at(made(tmp_path / "a.db", make), thorough=thorough)
    assert checked.damage == []
    if make in JUDGED:
        assert checked.facts() == {"structure_checked": True, "checked_by": checked.by}
    elif thorough:
        assert checked.facts()["unchecked"]


def broken_page(path: Path) -> None:
    """The cells of a leaf of the table `notes` point out of the page."""
    data = bytearray(path.read_bytes())
    for start in range(10 * PAGE, len(data), PAGE):
        if data[start] == 13:
            data[start + 8 : start + 16] = b"\xff\xf0" * 4
            break
    path.write_bytes(data)


@pytest.mark.parametrize("make", HEALTHY)
def test_damage_is_found_beside_what_an_application_brings_along(
    tmp_path: Path, make: Make
) -> None:
    def with_notes(connection: sqlite3.Connection) -> None:
        make(connection)
        connection.execute("CREATE TABLE more(id INTEGER PRIMARY KEY, body TEXT)")
        connection.executemany("INSERT INTO more(body) VALUES (?)", [("x" * 200,)] * 2000)
        connection.execute("CREATE INDEX by_body ON more(body)")

    path = made(tmp_path / "a.db", with_notes)
    broken_page(path)
    assert looked_at(path, thorough=False).damage
    engine = SqliteEngine(path, check_seconds=60)
    with engine.snapshot() as snapshot, pytest.raises(DatabaseDamaged):
        snapshot.facts  # noqa: B018


@pytest.mark.parametrize("make", [unknown_tokenizer, json_that_is_none])
def test_a_verification_looks_at_all_pages_even_of_tables_that_sqlite_cannot_check(
    tmp_path: Path, make: Make
) -> None:
    path = made(tmp_path / "a.db", make)
    assert not looked_at(path).structure

    def examined(**facts: Any) -> Any:
        return SqliteEngine(path, scratch=tmp_path).examine(
            PagesContent(pages_of(path)), facts=facts, progress=ignore
        )

    before = path.read_bytes()
    found = examined()
    assert not found.damage
    assert "outside of tables" not in found.unchecked
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE rootpage > 1 ORDER BY rowid LIMIT 1"
        ).fetchone()
    connection.close()
    data = bytearray(path.read_bytes())
    at = (root - 1) * PAGE
    data[at + 5 : at + 7] = b"\xff\xff"  # where the cells begin: beyond the page
    path.write_bytes(data)
    assert examined().damage
    assert path.read_bytes() == bytes(data) != before


# --- values ---------------------------------------------------------------------------------------


def null_where_none_may_be(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("INSERT INTO t VALUES (NULL)")
    schema_changed(connection, "t", "CREATE TABLE t(x NOT NULL)")


def text_in_a_strict_number(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("INSERT INTO t VALUES ('text')")
    schema_changed(connection, "t", "CREATE TABLE t(x INT) STRICT")


@pytest.mark.parametrize("make", [null_where_none_may_be, text_in_a_strict_number])
def test_rows_that_break_a_rule_are_told_and_are_no_damage(tmp_path: Path, make: Make) -> None:
    path = made(tmp_path / "a.db", make)
    facts = looked_at(path).facts()
    assert len(facts["values"]) == 1
    assert facts["structure_checked"] is True
    assert "damage" not in facts


def test_many_findings_about_values_hide_no_damage(tmp_path: Path) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE a(x)")
        connection.executemany("INSERT INTO a VALUES (?)", [(None,)] * 20_000)
        connection.execute("CREATE TABLE z(x)")
        connection.execute("CREATE INDEX by_x ON z(x) WHERE x > 5")
        connection.executemany("INSERT INTO z VALUES (?)", [(1,), (2,)])
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE TABLE a(x NOT NULL)' WHERE name = 'a'"
        )
        connection.execute(
            "UPDATE sqlite_schema SET sql = 'CREATE INDEX by_x ON z(x)' WHERE name = 'by_x'"
        )

    facts = looked_at(made(tmp_path / "a.db", make)).facts()
    assert "index by_x" in facts["damage"]
    assert len(facts["values"]) < 10


# --- structure ------------------------------------------------------------------------------------


def index_that_lacks_rows(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x TEXT)")
    connection.execute("CREATE INDEX by_x ON t(x) WHERE x > 'b'")
    connection.execute("INSERT INTO t VALUES ('a'), ('c')")
    schema_changed(connection, "by_x", "CREATE INDEX by_x ON t(x)")


def index_by_fixed_functions_that_lacks_rows(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x TEXT)")
    connection.execute("CREATE INDEX by_x ON t(length(x)) WHERE x > 'b'")
    connection.execute("INSERT INTO t VALUES ('a'), ('c')")
    schema_changed(connection, "by_x", "CREATE INDEX by_x ON t(length(x))")


@pytest.mark.parametrize("make", [index_that_lacks_rows, index_by_fixed_functions_that_lacks_rows])
@pytest.mark.parametrize("thorough", [False, True])
def test_an_index_that_lacks_rows_by_sqlites_own_rules_is_damaged(
    tmp_path: Path, make: Make, thorough: bool
) -> None:
    checked = looked_at(made(tmp_path / "a.db", make), thorough=thorough)
    assert "index by_x" in checked.damage[0]


def test_facts_are_short_whatever_the_database_holds(tmp_path: Path) -> None:
    def make(connection: sqlite3.Connection) -> None:
        for number in range(2000):
            connection.execute(f"CREATE TABLE t{number:05}(x)")
        connection.execute(f'CREATE TABLE "{"n" * 300_000}"(x)')

    path = made(tmp_path / "a.db", make)
    with SqliteEngine(path, check_seconds=60).snapshot() as snapshot:
        facts = snapshot.facts
    assert len(repr(facts)) < 40_000
    assert len(facts["tables"]) + facts["tables_more"] == 2001
    assert facts["tables"]["t00000"] == 0


def refusal(path: Path) -> str:
    with pytest.raises(NotADatabase) as caught, SqliteEngine(path).snapshot():
        pass
    return caught.value.reason


def test_an_encrypted_file_is_called_perhaps_encrypted(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(os.urandom(1 << 17))
    assert "perhaps it is encrypted" in refusal(path)
    path.write_bytes(b"plain words " * 10_000)
    assert "encrypted" not in refusal(path)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_schema_of_a_format_that_nobody_knows_yet_can_be_kept(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE t(x)")
    connection.close()
    data = bytearray(path.read_bytes())
    data[44:48] = (9).to_bytes(4, "big")
    path.write_bytes(data)
    engine = SqliteEngine(path, scratch=tmp_path)
    with pytest.raises(DatabaseUnreachable, match="unsupported file format"), engine.snapshot():
        pass
    with engine.snapshot(keep_damaged=True) as snapshot:
        assert b"".join(snapshot.blocks(PAGE)) == bytes(data)
        assert "unsupported file format" in snapshot.facts["damage"]


def test_a_unique_index_with_doubles_is_about_values(tmp_path: Path) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE t(x)")
        connection.execute("CREATE INDEX by_x ON t(x)")
        connection.execute("INSERT INTO t VALUES (1), (1)")
        schema_changed(connection, "by_x", "CREATE UNIQUE INDEX by_x ON t(x)")

    facts = looked_at(made(tmp_path / "a.db", make)).facts()
    assert facts["values"] == ["non-unique entry in index by_x"]
    assert "damage" not in facts


@pytest.mark.parametrize("shadow", ["data", "idx", "content", "docsize", "config"])
def test_a_full_text_index_whose_own_rows_are_lost_is_no_damage_of_the_database(
    tmp_path: Path, shadow: str
) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE VIRTUAL TABLE notes USING fts5(body)")
        connection.executemany("INSERT INTO notes VALUES (?)", [(f"word{i}",) for i in range(500)])

    path = made(tmp_path / "a.db", make)
    made(path, lambda connection: connection.execute(f"DELETE FROM notes_{shadow}"))
    checked = looked_at(path)
    assert checked.damage == []
    assert bool(checked.values or checked.skipped or checked.unchecked) is (shadow != "idx")


def test_names_that_are_too_long_for_functions_keep_no_database_from_being_checked(
    tmp_path: Path,
) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE {'a' * 300}(x)")
        connection.execute(f"CREATE TABLE {'é' * 200}(x)")

    assert looked_at(made(tmp_path / "a.db", make)).facts()["structure_checked"] is True


def generated_column_by_a_replaced_function(connection: sqlite3.Connection) -> None:
    connection.create_function("lower", 1, lambda text: text.casefold(), deterministic=True)
    connection.execute("CREATE TABLE t(a TEXT, b AS (lower(a)))")
    connection.execute("CREATE INDEX i ON t(b || 'x')")
    connection.execute("CREATE INDEX j ON t(a) WHERE b > 'b'")
    connection.executemany("INSERT INTO t(a) VALUES (?)", [("É",), ("Ä",), ("Zoo",)])


def test_an_index_over_a_generated_column_may_depend_on_any_function(tmp_path: Path) -> None:
    checked = looked_at(made(tmp_path / "a.db", generated_column_by_a_replaced_function))
    assert checked.damage == []
    assert checked.unchecked


@pytest.mark.parametrize(
    "text",
    ["a$" * 200_000, "COLLATE [" * 60_000, "COLLATE " * 60_000, "a (" * 100_000, "é" * 400_000],
)
def test_a_hostile_definition_is_searched_in_no_more_time_than_a_plain_one(
    tmp_path: Path, text: str
) -> None:
    def make(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE t(x /* {text} */)")

    path = made(tmp_path / "a.db", make)
    ended = threading.Event()

    def look() -> None:
        looked_at(path)
        ended.set()

    threading.Thread(target=look, daemon=True).start()
    assert ended.wait(20)  # it was hours


def test_a_name_as_long_as_the_database_makes_no_long_texts(tmp_path: Path) -> None:
    def make(connection: sqlite3.Connection) -> None:
        name = "n" * 100_000
        connection.execute("CREATE TABLE t(x)")
        connection.execute(f"CREATE INDEX {name} ON t(x) WHERE x > 5000")
        connection.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(5000)])
        schema_changed(connection, name, f"CREATE INDEX {name} ON t(x)")

    checked = looked_at(made(tmp_path / "a.db", make))
    assert checked.damage
    assert len(repr(checked)) < 20_000


def latin_text(connection: sqlite3.Connection) -> None:
    """As old programs store it, in an order of their own."""
    connection.execute("CREATE TABLE t(a TEXT UNIQUE, b)")
    rows = [(b"M\xfcller%d" % number, number) for number in range(50)]
    connection.executemany("INSERT INTO t VALUES (CAST(? AS TEXT), ?)", rows)
    schema_changed(connection, "t", "CREATE TABLE t(a TEXT COLLATE phonebook UNIQUE, b)")


def latin_name(connection: sqlite3.Connection) -> None:
    """In an entry that SQLite can't read, so that its message has it."""
    connection.execute("CREATE TABLE t(x)")
    connection.execute("CREATE TABLE u(x)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET name = CAST(x'75fc' AS TEXT), tbl_name = CAST(x'75fc' AS TEXT),"
        " sql = CAST(? AS TEXT) WHERE name = 'u'",
        (b"CREATE TABLE u\xfc(x) FUTURE",),
    )


def blob_definition(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("CREATE TABLE u(x)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET sql = CAST(sql AS BLOB) WHERE name = 'u'")


def collation_with_nul(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t(x)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE t(x COLLATE \"a' || char(0) || 'b\")'"
    )


@pytest.mark.parametrize("make", [latin_text, latin_name, blob_definition, collation_with_nul])
@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_texts_that_are_none_keep_no_database_from_being_taken(
    tmp_path: Path, make: Make, mode: str
) -> None:
    path = made(tmp_path / "a.db", make)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.close()
    engine = SqliteEngine(path, check_seconds=60, scratch=tmp_path)
    with engine.snapshot() as snapshot:
        assert b"".join(snapshot.blocks(PAGE)) == path.read_bytes()
        assert "damage" not in snapshot.facts
    private = SqliteEngine(path, private=True)
    private.check(ignore)
    with private.snapshot() as snapshot:
        assert "damage" not in snapshot.facts
    data = path.read_bytes()
    content = PagesContent([data[at : at + PAGE] for at in range(0, len(data), PAGE)])
    assert not engine.examine(content, facts={}, progress=ignore).damage
    engine.restore(content, before_commit=ignore, progress=ignore)
    path.unlink()
    engine.restore(content, before_commit=ignore, progress=ignore)
    assert path.read_bytes() == b"".join(content.blocks())


def nocase_in_an_expression(connection: sqlite3.Connection) -> None:
    connection.create_collation("NOCASE", by_case)
    connection.execute("CREATE TABLE t(x TEXT COLLATE NOCASE)")
    connection.execute("CREATE INDEX i ON t(x = 'é')")
    connection.executemany("INSERT INTO t VALUES (?)", [("É",), ("é",), ("e",)])


def quoted_function(connection: sqlite3.Connection) -> None:
    connection.create_function("lower", 1, lambda text: text.casefold(), deterministic=True)
    connection.execute("CREATE TABLE t(x TEXT)")
    connection.execute('CREATE INDEX i ON t("lower"(x))')
    connection.execute("CREATE INDEX j ON t([lower](x))")
    connection.execute("CREATE INDEX k ON t(lower /* so */ (x))")
    connection.executemany("INSERT INTO t VALUES (?)", [("É",), ("Ä",)])


def nocase_key_of_a_table_without_rowid(connection: sqlite3.Connection) -> None:
    connection.create_collation("NOCASE", by_case)
    connection.execute("CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, v) WITHOUT ROWID")
    connection.execute("CREATE INDEX i ON t(v)")
    connection.executemany("INSERT INTO t VALUES (?, 1)", [("É",), ("e",), ("Z",), ("ä",)])


@pytest.mark.parametrize(
    "make", [nocase_in_an_expression, quoted_function, nocase_key_of_a_table_without_rowid]
)
def test_no_index_is_damaged_whose_order_an_application_may_define(
    tmp_path: Path, make: Make
) -> None:
    assert looked_at(made(tmp_path / "a.db", make)).damage == []


def test_a_broken_record_is_damage(tmp_path: Path) -> None:
    """Of which SQLite tells in a row of its answer, with which it ends."""

    def make(connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INT NOT NULL)"
        )
        connection.executemany("INSERT INTO t(a, b) VALUES (?, 5)", [("x" * 50,)] * 60)

    path = made(tmp_path / "a.db", make)
    data = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema").fetchone()
    connection.close()
    start = (root - 1) * PAGE
    cell = int.from_bytes(data[start + 8 : start + 10], "big")
    data[start + cell + 2] = 0x7F  # the header of the record is longer than the record
    path.write_bytes(data)
    with sqlite3.connect(path) as connection:
        told = connection.execute("PRAGMA quick_check").fetchall()
    connection.close()
    assert told != [("ok",)]
    checked = looked_at(path, thorough=False)
    assert checked.damage
    assert not checked.facts()["structure_checked"]


@pytest.mark.parametrize("seconds", [1e-9, 1e-6, 1e-5, 1e-4, 3e-4, 1e-3])
def test_a_look_whose_time_is_over_at_any_moment_refuses_nothing(
    tmp_path: Path, seconds: float
) -> None:
    path = made(tmp_path / "a.db", unknown_tokenizer)
    for _ in range(20):
        with SqliteEngine(path, check_seconds=seconds).snapshot() as snapshot:
            assert "damage" not in snapshot.facts


def test_pages_are_checked_of_a_table_in_an_order_that_is_not_sqlites(tmp_path: Path) -> None:
    """A table that can't be checked, as its column is no JSON, with keys in another order."""

    def make(connection: sqlite3.Connection) -> None:
        connection.execute(
            "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, body TEXT) WITHOUT ROWID"
        )
        rows = [(key, "plain text") for key in ("a", "B", "c", "D")]
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        connection.execute("ALTER TABLE t ADD COLUMN title TEXT AS (json_extract(body, '$.title'))")

    path = made(tmp_path / "a.db", make)
    assert looked_at(path).skipped
    data = path.read_bytes()
    content = PagesContent([data[at : at + PAGE] for at in range(0, len(data), PAGE)])
    found = SqliteEngine(path, scratch=tmp_path).examine(content, facts={}, progress=ignore)
    assert found.damage == ""
    assert "table t" in found.unchecked
    assert "no table" not in found.unchecked
