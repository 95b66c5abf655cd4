"""Healthy databases of which SQLite can't look at all, or would judge by another rule than the
application's. None of them may be called damaged."""

import zlib
from functools import partial
from pathlib import Path

from ..case import Kind, Shelf, numbers, opened, rewritten, root_of, run
from .healthy import ROWS

SHELF = Shelf()
partly = partial(SHELF.add, Kind.PARTLY)
perhaps = partial(SHELF.add, Kind.PERHAPS)

WORDS = (
    "Ärger",
    "ärmel",
    "Zoo",
    "zebra",
    "Émile",
    "émile2",
    "Apfel",
    "Ωmega",
    "ωtwo",
    "Öl",
    "ölig",
)


def _folded(one: str, other: str) -> int:
    one, other = one.casefold(), other.casefold()
    return (one > other) - (one < other)


# --- Full text ------------------------------------------------------------------------------------


@partly()
def tokenizer_of_the_application(path: Path) -> None:
    """FTS5 whose tokenizer the application registers on each of its connections."""
    _words(path, "fts5(body)", "fts5(body, tokenize='app_tokenizer')")


@partly()
def tokenizer_of_the_application_in_fts4(path: Path) -> None:
    """The same with FTS4, such as ICU's, which this SQLite is built without."""
    _words(path, "fts4(body)", "fts4(body, tokenize=icu de_DE)")


@partly()
def tokenizer_of_the_application_in_fts3(path: Path) -> None:
    """As mail programs have it: FTS3 with a tokenizer of their own."""
    _words(path, "fts3(body)", "fts3(body, tokenize=mozporter)")


@partly()
def full_text_option_of_a_newer_sqlite(path: Path) -> None:
    """FTS5 with an option that will come one day."""
    _words(path, "fts5(body)", "fts5(body, later_option=1)")


@perhaps()
def full_text_4_without_content(path: Path) -> None:
    """FTS4 with content="": it works, but SQLite can't validate it."""
    run(
        path,
        'CREATE VIRTUAL TABLE words USING fts4(body, content="")',
        f"{numbers(20)} INSERT INTO words(docid, body) SELECT i, 'word ' || i FROM n",
    )


@partly()
def full_text_4_packed_by_the_application(path: Path) -> None:
    """FTS4 whose text goes through functions of the application."""
    with opened(path) as connection:
        connection.create_function("app_pack", 1, lambda text: zlib.compress(str(text).encode()))
        connection.create_function("app_unpack", 1, lambda data: zlib.decompress(data).decode())
        connection.execute(
            "CREATE VIRTUAL TABLE mail USING fts4(body, compress=app_pack, uncompress=app_unpack)"
        )
        connection.executemany(
            "INSERT INTO mail(body) VALUES (?)", [(f"letter {number}",) for number in range(20)]
        )


@perhaps()
def full_text_5_of_a_table_that_was_dropped(path: Path) -> None:
    """The application makes the table of the texts anew when it needs it."""
    run(
        path,
        *ROWS,
        "CREATE TABLE text (id INTEGER PRIMARY KEY, body TEXT)",
        "CREATE VIRTUAL TABLE words USING fts5(body, content='text', content_rowid='id')",
        "INSERT INTO words(rowid, body) VALUES (1, 'one')",
        "DROP TABLE text",
    )


def _words(path: Path, module: str, left: str) -> None:
    run(
        path,
        f"CREATE VIRTUAL TABLE notes USING {module}",
        f"{numbers(200)} INSERT INTO notes(body) SELECT 'note number ' || i FROM n",
    )
    rewritten(path, "notes", f"CREATE VIRTUAL TABLE notes USING {left}")


# --- Virtual tables of modules that are not here --------------------------------------------------


def _of_module(path: Path, name: str, using: str, *shadows: str) -> None:
    run(path, *ROWS, *shadows)
    with opened(path) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_schema VALUES ('table', ?, ?, 0, ?)",
            (name, name, f"CREATE VIRTUAL TABLE {name} USING {using}"),
        )


@perhaps()
def vectors_of_sqlite_vec(path: Path) -> None:
    """A vec0 table, with the tables that it keeps its chunks in."""
    _of_module(
        path,
        "movies",
        "vec0(id INTEGER PRIMARY KEY, embedding float[4])",
        "CREATE TABLE movies_chunks (chunk_id INTEGER PRIMARY KEY, size INT, validity BLOB)",
        "CREATE TABLE movies_rowids (rowid INTEGER PRIMARY KEY, id, chunk_id INT)",
        "CREATE TABLE movies_vector_chunks00 (rowid PRIMARY KEY, vectors BLOB NOT NULL)",
        "INSERT INTO movies_vector_chunks00 VALUES (1, randomblob(4096))",
    )


@perhaps()
def spatial_index_of_spatialite(path: Path) -> None:
    """A SpatiaLite file: its virtual tables, and triggers that call its functions."""
    _of_module(path, "SpatialIndex", "VirtualSpatialIndex()")
    run(
        path,
        "CREATE TABLE geometry_columns (f_table_name TEXT, f_geometry_column TEXT, srid INT)",
        "CREATE TRIGGER ggi_person BEFORE INSERT ON person BEGIN SELECT RAISE(ROLLBACK, 'no')"
        " WHERE GeometryConstraints(new.note, 'POINT', 4326) <> 1; END",
    )


@partly()
def vector_index_of_libsql(path: Path) -> None:
    """libSQL keeps a vector index elsewhere; its b-tree here is empty on purpose."""
    with opened(path) as connection:
        connection.execute("CREATE TABLE movies (title TEXT, embedding BLOB)")
        connection.execute("CREATE INDEX empty ON movies(embedding)")
        root = root_of(connection, "empty")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("DELETE FROM sqlite_schema WHERE name = 'empty'")
    with opened(path) as connection:
        connection.executemany(
            "INSERT INTO movies VALUES (?, ?)", [(f"film {n}", bytes(16)) for n in range(20)]
        )
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "INSERT INTO sqlite_schema VALUES ('index', 'movies_idx', 'movies', ?,"
            " 'CREATE INDEX movies_idx ON movies(libsql_vector_idx(embedding))')",
            (root,),
        )


# --- Collations of the application ----------------------------------------------------------------


@perhaps()
def an_unknown_collation_without_an_index(path: Path) -> None:
    """A column that is to be sorted by the application's rule; nothing is kept in that order."""
    with opened(path) as connection:
        connection.create_collation("app_order", _folded)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE app_order)")
        connection.execute("INSERT INTO t(a) VALUES ('b'), ('a')")


@partly()
def collation_in_an_index(path: Path) -> None:
    """An index in the order of a language, by ICU or by the application."""
    with opened(path) as connection:
        connection.create_collation("de_DE", _folded)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
        connection.executemany("INSERT INTO t(a) VALUES (?)", [(word,) for word in WORDS])
        connection.execute("CREATE INDEX t_a ON t(a COLLATE de_DE)")


@partly()
def collation_in_a_primary_key(path: Path) -> None:
    """A table WITHOUT ROWID in the application's order, as flash cards keep their tags."""
    with opened(path) as connection:
        connection.create_collation("unicase", _folded)
        connection.execute(
            "CREATE TABLE tags (tag TEXT PRIMARY KEY COLLATE unicase, usn INT) WITHOUT ROWID"
        )
        connection.executemany("INSERT INTO tags VALUES (?, 1)", [(word,) for word in WORDS])
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, flds TEXT)")
        connection.executemany("INSERT INTO notes(flds) VALUES (?)", [("x" * 200,)] * 200)


@partly(deep=True)
def nocase_that_knows_all_letters(path: Path) -> None:
    """The application has replaced NOCASE; SQLite's own finds the index in the wrong order."""
    with opened(path) as connection:
        connection.create_collation("NOCASE", _folded)
        connection.execute(
            "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE)"
        )
        connection.executemany("INSERT INTO person(name) VALUES (?)", [(word,) for word in WORDS])


@partly(deep=True)
def rtrim_that_is_replaced(path: Path) -> None:
    """RTRIM is SQLite's own as NOCASE is, and can be replaced as well."""
    with opened(path) as connection:
        connection.create_collation("RTRIM", _folded)
        connection.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT)")
        connection.executemany("INSERT INTO person(name) VALUES (?)", [(word,) for word in WORDS])
        connection.execute("CREATE INDEX by_name ON person(name COLLATE RTRIM)")


# --- Functions of the application -----------------------------------------------------------------


def _with_function(path: Path, *statements: str) -> None:
    with opened(path) as connection:
        connection.create_function("app_norm", 1, _norm, deterministic=True)
        for statement in statements:
            connection.execute(statement)


def _norm(value: object) -> str:
    return str(value).casefold()


FILL = f"{numbers(100)} INSERT INTO t(a) SELECT 'Value ' || i FROM n"


@partly(deep=True)
def function_in_an_index_on_an_expression(path: Path) -> None:
    """Sorted by what the application makes of a column."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"
    _with_function(path, table, FILL, "CREATE INDEX t_norm ON t(app_norm(a))")


@partly(deep=True)
def function_in_the_condition_of_an_index(path: Path) -> None:
    """An index of the rows that the application wants in it."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a)"
    _with_function(path, table, FILL, "CREATE INDEX t_some ON t(a) WHERE app_norm(a) > 'value 5'")


@partly(untold=True)
def function_in_a_check(path: Path) -> None:
    """Only what the application approves of is let in."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a CHECK (app_norm(a) <> ''))"
    _with_function(path, table, FILL)


@partly()
def function_in_a_generated_column(path: Path) -> None:
    """A column that the application calculates whenever it is read."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b AS (app_norm(a)) NOT NULL)"
    _with_function(path, table, FILL)


@perhaps()
def function_in_a_generated_column_that_is_kept(path: Path) -> None:
    """The same, written down when the row is, with an index on it."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b AS (app_norm(a)) STORED)"
    _with_function(path, table, FILL, "CREATE INDEX t_b ON t(b)")


@perhaps()
def function_in_a_default(path: Path) -> None:
    """A value that the application thinks of for new rows."""
    table = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b DEFAULT (app_norm('X')))"
    _with_function(path, table, FILL)


@partly()
def function_called_malformed(path: Path) -> None:
    """A name that has a word of SQLite's for damage in it, and comes up in its error's text."""
    with opened(path) as connection:
        connection.create_function("is_malformed", 1, lambda value: 0, deterministic=True)
        connection.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a, bad AS (is_malformed(a)) NOT NULL)"
        )
        connection.execute("INSERT INTO t(a) VALUES (1)")


@partly(deep=True)
def lower_that_knows_all_letters(path: Path) -> None:
    """As ICU replaces it: SQLite's own lower() makes something else of Ä than the index has."""
    with opened(path) as connection:
        connection.create_function("lower", 1, lambda text: text.lower(), deterministic=True)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
        connection.executemany("INSERT INTO t(a) VALUES (?)", [(word,) for word in WORDS])
        connection.execute("CREATE INDEX t_lower ON t(lower(a))")


@perhaps()
def like_that_knows_all_letters(path: Path) -> None:
    """As ICU replaces it, in the condition of an index: rows are in it that SQLite's leaves out."""

    def like(pattern: str, text: str) -> bool:
        return text.casefold().startswith(pattern.casefold().rstrip("%"))

    with opened(path) as connection:
        connection.create_function("like", 2, like, deterministic=True)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)")
        connection.executemany("INSERT INTO t(a) VALUES (?)", [(word,) for word in WORDS])
        connection.execute("CREATE INDEX t_like ON t(a) WHERE a LIKE 'ä%'")


@partly(untold=True)
def regexp_in_a_check(path: Path) -> None:
    """REGEXP is an operator that the application must bring the function for."""
    with opened(path) as connection:
        connection.create_function("regexp", 2, lambda pattern, text: True, deterministic=True)
        connection.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT CHECK (a REGEXP '^[a-z]+$'))"
        )
        connection.execute("INSERT INTO t(a) VALUES ('abc')")


@perhaps()
def check_against_today(path: Path) -> None:
    """A CHECK that older SQLite let be, and newer can't evaluate: its answer changes by the day."""
    run(
        path,
        "PRAGMA ignore_check_constraints = ON",
        "CREATE TABLE birth (id INTEGER PRIMARY KEY, d TEXT CHECK (d <= date('now')))",
        "INSERT INTO birth VALUES (1, '1990-01-01')",
    )


# --- What a newer SQLite has ----------------------------------------------------------------------


@partly()
def table_option_of_a_newer_sqlite(path: Path) -> None:
    """As STRICT was to SQLite before 3.37: this one can't read the schema."""
    run(path, "CREATE TABLE t (a)", "INSERT INTO t VALUES (5)")
    rewritten(path, "t", "CREATE TABLE t (a) LATER")


@partly()
def column_syntax_of_a_newer_sqlite(path: Path) -> None:
    """A kind of constraint that will come one day, in one of some tables."""
    run(path, *ROWS, "CREATE TABLE t (a)", "INSERT INTO t VALUES (5)")
    rewritten(path, "t", "CREATE TABLE t (a INT EXCLUDE (a WITH =))")


@partly()
def view_in_the_syntax_of_a_newer_sqlite(path: Path) -> None:
    """All tables can be read by anybody, but the schema as a whole can't."""
    run(path, *ROWS, "CREATE VIEW v AS SELECT 1 AS a")
    rewritten(path, "v", "CREATE VIEW v AS SELECT * FROM person PIVOT (count(*) FOR name IN (1))")


@partly()
def trigger_in_the_syntax_of_a_newer_sqlite(path: Path) -> None:
    """The same with a trigger."""
    run(path, *ROWS, "CREATE TRIGGER g AFTER INSERT ON person BEGIN SELECT 1; END")
    rewritten(path, "g", "CREATE TRIGGER g AFTER MERGE ON person BEGIN SELECT 1; END")


@perhaps()
def function_of_a_newer_sqlite_in_an_index(path: Path) -> None:
    """A function that SQLite itself will have one day."""
    with opened(path) as connection:
        connection.create_function("json_later", 1, _norm, deterministic=True)
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
        connection.execute(FILL)
        connection.execute("CREATE INDEX t_later ON t(json_later(a))")


# --- Names ----------------------------------------------------------------------------------------


@perhaps()
def name_with_a_nul(path: Path) -> None:
    """A table that SQLite lets be but no query can name."""
    run(
        path,
        *ROWS,
        "CREATE TABLE odd (x)",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET name = name || char(0) || 'x' WHERE name = 'odd'",
    )


@perhaps()
def name_that_is_no_utf_8(path: Path) -> None:
    """A table that was named in an older encoding."""
    with opened(path) as connection:
        connection.execute("CREATE TABLE odd (x)")
        connection.execute("INSERT INTO odd VALUES (1)")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET name = CAST(x'4dfc6c6c' AS TEXT),"
            " tbl_name = CAST(x'4dfc6c6c' AS TEXT),"
            " sql = CAST(x'435245415445205441424c4520224dfc6c6c2220287829' AS TEXT)"
        )
