"""Databases in which nothing is wrong and of which SQLite can look at all."""

from functools import partial
from pathlib import Path

from ..case import Kind, Shelf, numbers, opened, run

SHELF = Shelf()
healthy = partial(SHELF.add, Kind.HEALTHY)

ROWS = (
    "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, note TEXT)",
    f"{numbers(300)} INSERT INTO person SELECT i, 'name ' || i, hex(zeroblob(30)) FROM n",
    "CREATE INDEX person_name ON person(name)",
)


@healthy()
def one_table(path: Path) -> None:
    """What every tutorial makes."""
    run(path, *ROWS)


@healthy()
def empty_file(path: Path) -> None:
    """Opened by an application that has not written yet: no byte is in it."""
    path.touch()


@healthy()
def no_table_left(path: Path) -> None:
    """All tables were dropped: one page, and free ones."""
    run(path, *ROWS, "DROP TABLE person")


@healthy()
def settings_only(path: Path) -> None:
    """Nothing but a version of the application's schema; no table was ever made."""
    run(path, "PRAGMA user_version = 42", "PRAGMA application_id = 1196444487")


def _pages_of(size: int, path: Path) -> None:
    """Pages of another size than SQLite's own choice."""
    run(path, f"PRAGMA page_size = {size}", *ROWS)


for _size in (512, 1024, 32768, 65536):
    _build = partial(_pages_of, _size)
    _build.__doc__ = _pages_of.__doc__
    healthy(name=f"pages of {_size}")(_build)


@healthy()
def bytes_reserved_in_each_page(path: Path) -> None:
    """As extensions want it that encrypt pages, or add a checksum to each."""
    run(path, "PRAGMA user_version = 1")
    page = bytearray(path.read_bytes())
    page[20] = 32
    page[105:107] = (len(page) - 32).to_bytes(2, "big")  # where the first page's cells begin
    path.write_bytes(page)
    run(path, *ROWS)


@healthy()
def auto_vacuum_full(path: Path) -> None:
    """Pages move about by themselves when something is deleted; there are pointer maps."""
    run(path, "PRAGMA auto_vacuum = FULL", *ROWS, "DELETE FROM person WHERE id % 3 = 0")


@healthy()
def auto_vacuum_incremental(path: Path) -> None:
    """Pointer maps, and free pages that wait for somebody to ask for them."""
    run(path, "PRAGMA auto_vacuum = INCREMENTAL", *ROWS, "DELETE FROM person WHERE id > 50")


@healthy()
def utf_16_little_endian(path: Path) -> None:
    """Text as programs from another world keep it."""
    run(path, "PRAGMA encoding = 'UTF-16le'", *ROWS)


@healthy()
def utf_16_big_endian(path: Path) -> None:
    """The same, the other way round."""
    run(path, "PRAGMA encoding = 'UTF-16be'", *ROWS)


@healthy()
def many_free_pages(path: Path) -> None:
    """Most of it was deleted, and nobody has called VACUUM."""
    run(
        path,
        *ROWS,
        f"{numbers(200)} INSERT INTO person SELECT 1000 + i, 'x', randomblob(3000) FROM n",
        "DELETE FROM person WHERE id >= 1000",
    )


@healthy()
def a_row_over_many_pages(path: Path) -> None:
    """A picture in a column: a chain of pages for one value."""
    run(path, *ROWS, "INSERT INTO person VALUES (1000, 'photo', randomblob(300000))")


@healthy()
def tables_without_rowid(path: Path) -> None:
    """Tables that are an index themselves, some of them in falling order."""
    run(
        path,
        "CREATE TABLE tag (tag TEXT, usn INT, PRIMARY KEY (tag DESC, usn)) WITHOUT ROWID",
        f"{numbers(500)} INSERT INTO tag SELECT 'tag ' || (i * 37 % 500), i FROM n",
        "CREATE UNIQUE INDEX tag_usn ON tag(usn)",
    )


@healthy()
def strict_tables(path: Path) -> None:
    """Columns that take values of their type alone, and of any."""
    run(
        path,
        "CREATE TABLE s (id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT, b BLOB, a ANY) STRICT",
        "INSERT INTO s VALUES (1, 2, 3.5, 'four', x'05', '6'), (2, NULL, 1, '', x'', 7)",
    )


@healthy()
def checks_and_keys_that_hold(path: Path) -> None:
    """All kinds of constraints, none of them broken."""
    run(
        path,
        "CREATE TABLE parent (id INTEGER PRIMARY KEY, age INT NOT NULL CHECK (age > 0))",
        "CREATE TABLE child (id INTEGER PRIMARY KEY, parent INT REFERENCES parent, UNIQUE (parent))",
        f"{numbers(100)} INSERT INTO parent SELECT i, i FROM n",
        "INSERT INTO child SELECT id, id FROM parent",
    )


@healthy()
def generated_columns(path: Path) -> None:
    """Columns that are calculated, kept and not, one of them with an index."""
    run(
        path,
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT,"
        " title TEXT AS (json_extract(body, '$.title')), size INT AS (length(body)) STORED)",
        f"{numbers(100)} INSERT INTO doc(body) SELECT json_object('title', 'no ' || i) FROM n",
        "CREATE INDEX doc_title ON doc(title)",
    )


@healthy()
def indexes_of_all_kinds(path: Path) -> None:
    """On expressions, on part of a table, falling, of more columns, in NOCASE and RTRIM."""
    run(
        path,
        *ROWS,
        "CREATE INDEX i1 ON person(id % 7, name DESC) WHERE id > 20",
        "CREATE INDEX i2 ON person(name COLLATE NOCASE)",
        "CREATE INDEX i3 ON person(name COLLATE RTRIM, note)",
        "CREATE UNIQUE INDEX i4 ON person(substr(name, 6), id)",
    )


@healthy()
def full_text_3(path: Path) -> None:
    """The oldest full-text index that is still about."""
    _full_text(path, "USING fts3(body, tokenize=porter)")


@healthy()
def full_text_4(path: Path) -> None:
    """A full-text index with its own tables beside it."""
    _full_text(path, 'USING fts4(body, prefix="2,3")')


@healthy()
def full_text_5(path: Path) -> None:
    """The full-text index of today."""
    _full_text(path, "USING fts5(body, tokenize='porter unicode61')")


@healthy()
def full_text_5_without_content(path: Path) -> None:
    """Only the index is kept, the text is elsewhere."""
    _full_text(path, "USING fts5(body, content='')")


def _full_text(path: Path, module: str) -> None:
    run(
        path,
        f"CREATE VIRTUAL TABLE words {module}",
        f"{numbers(100)} INSERT INTO words(rowid, body) SELECT i, 'word ' || i FROM n",
    )


@healthy()
def full_text_5_of_another_table(path: Path) -> None:
    """The text is in a table that triggers keep the index up to date with."""
    run(
        path,
        *ROWS,
        "CREATE VIRTUAL TABLE words USING fts5(name, content='person', content_rowid='id')",
        "INSERT INTO words(words) VALUES ('rebuild')",
        "CREATE TRIGGER added AFTER INSERT ON person BEGIN"
        " INSERT INTO words(rowid, name) VALUES (new.id, new.name); END",
        "INSERT INTO person VALUES (999, 'by trigger', '')",
    )


@healthy()
def places_in_an_r_tree(path: Path) -> None:
    """Boxes on a map."""
    run(
        path,
        "CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1)",
        f"{numbers(300)} INSERT INTO box SELECT i, i, i + 1, i % 9, i % 9 + 1 FROM n",
    )


@healthy()
def statistics_of_another_build(path: Path) -> None:
    """sqlite_stat4, which only some builds of SQLite write; the samples are blobs."""
    run(path, *ROWS, "ANALYZE")
    with opened(path) as connection:
        connection.execute("CREATE TABLE samples (tbl, idx, neq, nlt, ndlt, sample)")
        connection.execute(
            "INSERT INTO samples VALUES ('person', 'person_name', '1 1', '5 5', '5 5', x'031b01')"
        )
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET name = 'sqlite_stat4', tbl_name = 'sqlite_stat4',"
            " sql = 'CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)' WHERE name = 'samples'"
        )


@healthy()
def names_of_all_kinds(path: Path) -> None:
    """Tables and columns with quotes, brackets, line ends, marks that turn the writing, an empty
    name, and words that error messages have."""
    names = (
        "it's",
        'say "hi"',
        "[x]",
        "`y`",
        "two\nlines",
        "tab\there",
        "a\u202eb\u200f",
        "🎈",
        "",
        " ",
        "%s {0}",
        "database disk image is malformed",
        "is locked",
        "file is not a database",
        "; DROP TABLE x; --",
        "Ünïcode",
        "x" * 300,
    )
    with opened(path) as connection:
        for number, name in enumerate(names):
            quoted = '"' + name.replace('"', '""') + '"'
            connection.execute(f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT)")
            connection.execute(f"INSERT INTO {quoted} VALUES (1, ?)", (name,))
            connection.execute(f'CREATE INDEX "{number}{quoted[1:]} ON {quoted}({quoted})')


@healthy()
def text_that_is_no_utf_8(path: Path) -> None:
    """Bytes of an older encoding in columns of text, with an index, and a NUL in the middle."""
    with opened(path) as connection:
        connection.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, t TEXT)")
        connection.execute("CREATE INDEX old_t ON old(t)")
        for raw in (b"M\xfcller", b"\xff\xfe", b"a\x00b", b"\xed\xa0\x80", b"\xf0\x9f\x98", b""):
            connection.execute("INSERT INTO old(t) VALUES (CAST(? AS TEXT))", (raw,))


@healthy()
def views_and_triggers_on_what_is_gone(path: Path) -> None:
    """A view on a table that was dropped, and a trigger that calls what the application has."""
    run(
        path,
        *ROWS,
        "CREATE VIEW lost AS SELECT * FROM gone JOIN person USING (id)",
        "CREATE VIEW own AS SELECT app_function(name) FROM person",
        "CREATE TRIGGER t AFTER DELETE ON person BEGIN"
        " INSERT INTO gone VALUES (app_function(old.name)); END",
    )


@healthy()
def lower_in_an_index_by_the_rule_of_sqlite(path: Path) -> None:
    """An index on lower(), which nobody has replaced."""
    run(path, *ROWS, "CREATE INDEX person_lower ON person(lower(name))")


@healthy()
def page_count_of_an_old_writer(path: Path) -> None:
    """SQLite before 3.7 left the page count in the header as it was: the file's length counts."""
    run(path, *ROWS)
    content = bytearray(path.read_bytes())
    content[28:32] = (1).to_bytes(4, "big")
    content[92:96] = bytes(4)  # at another change than the last
    path.write_bytes(content)


@healthy()
def numbers_given_by_autoincrement(path: Path) -> None:
    """sqlite_sequence remembers the last number."""
    run(
        path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a)",
        f"{numbers(50)} INSERT INTO t(a) SELECT i FROM n",
        "DELETE FROM t WHERE id > 40",
    )


@healthy()
def many_tables(path: Path) -> None:
    """A table for each customer and month."""
    with opened(path) as connection:
        connection.execute("BEGIN")
        for number in range(300):
            connection.execute(f"CREATE TABLE customer_{number} (id INTEGER PRIMARY KEY, a UNIQUE)")
        connection.execute("COMMIT")
