"""A product catalogue as a SQLite database: the same for the same seed and size."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import sqlean

SCHEMA = """
CREATE TABLE categories (
    id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES categories, name TEXT
);
CREATE TABLE products (
    id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL, description TEXT NOT NULL,
    attributes TEXT NOT NULL, updated_on REAL NOT NULL
);
CREATE TABLE prices (
    id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products,
    currency TEXT NOT NULL, cents INTEGER NOT NULL, valid_from TEXT NOT NULL
);
CREATE TABLE relations (
    product_id INTEGER NOT NULL REFERENCES products, other_id INTEGER NOT NULL REFERENCES products,
    kind TEXT NOT NULL, PRIMARY KEY (product_id, other_id, kind)
) WITHOUT ROWID;
CREATE TABLE product_categories (
    product_id INTEGER NOT NULL REFERENCES products,
    category_id INTEGER NOT NULL REFERENCES categories, PRIMARY KEY (product_id, category_id)
) WITHOUT ROWID;
CREATE TABLE images (
    id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL REFERENCES products,
    file_name TEXT NOT NULL, data BLOB NOT NULL
);
CREATE INDEX prices_of_a_product ON prices (product_id, currency);
CREATE INDEX products_by_name ON products (name);
"""

ADJECTIVES = (
    "oak",
    "steel",
    "linen",
    "amber",
    "quiet",
    "double",
    "folding",
    "heavy",
    "light",
    "northern",
    "round",
    "slim",
)
NOUNS = (
    "chair",
    "lamp",
    "table",
    "shelf",
    "kettle",
    "drill",
    "jacket",
    "tent",
    "bicycle",
    "mirror",
    "cabinet",
    "desk",
)
SENTENCES = (
    "the surface is brushed by hand and sealed with oil so that it keeps its colour for years "
    "screws and tools come in the box assembly takes two people half an hour each part can be "
    "ordered again made from wood of managed forests tested for daily use in homes and offices "
    "the cover can be washed at forty degrees and dries flat within a day"
)
SENTENCE_WORDS = SENTENCES.split()
CURRENCIES = ("EUR", "USD", "CHF", "SEK")
PRODUCTS_PER_MEGABYTE = 450
IMAGE_BYTES = 24 * 1024
# One product in so many has an image.
IMAGE_EVERY = 30
CATEGORIES = 60
NEW_YEAR_2026 = 1767225600.0


def write_catalogue(path: Path, megabytes: int = 40, seed: int = 1) -> None:
    """Fill the database at `path`, which must have no tables, with about so many megabytes."""
    products = megabytes * PRODUCTS_PER_MEGABYTE
    chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
    connection = sqlean.connect(str(path), isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SCHEMA)
        connection.execute("BEGIN IMMEDIATE")
        for table, columns, rows in (
            ("categories", 3, _categories()),
            ("products", 6, _products(chance, products)),
            ("prices", 5, _prices(chance, products)),
            ("relations", 3, _relations(chance, products)),
            ("product_categories", 2, _memberships(chance, products)),
            ("images", 4, _images(chance, products)),
        ):
            marks = ", ".join("?" * columns)
            connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)  # noqa: S608
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


Rows = Iterator[tuple[object, ...]]


def _categories() -> Rows:
    for number in range(1, CATEGORIES + 1):
        yield number, number // 6 or None, f"{NOUNS[number % len(NOUNS)]}s {number}"


def _products(chance: random.Random, count: int) -> Rows:
    for number in range(1, count + 1):
        name = f"{chance.choice(ADJECTIVES)} {chance.choice(NOUNS)} {number}"
        text = " ".join(chance.choices(SENTENCE_WORDS, k=chance.randrange(40, 160)))
        attributes = json.dumps(
            {
                "width_mm": chance.randrange(50, 2500),
                "height_mm": chance.randrange(20, 2200),
                "weight_g": chance.randrange(10, 90000),
                "ean": str(chance.randrange(10**12, 10**13)),
            }
        )
        yield number, f"SP-{number:06}", name, text, attributes, NEW_YEAR_2026 + number * 60


def _prices(chance: random.Random, count: int) -> Rows:
    for product in range(1, count + 1):
        cents = chance.randrange(199, 250000)
        for year in (2024, 2025, 2026):
            for currency in CURRENCIES:
                yield None, product, currency, cents + chance.randrange(-50, 50), f"{year}-01-01"


def _relations(chance: random.Random, count: int) -> Rows:
    for product in range(1, count + 1):
        for kind in ("accessory", "alternative", "successor"):
            yield product, chance.randrange(1, count + 1), kind


def _memberships(chance: random.Random, count: int) -> Rows:
    for product in range(1, count + 1):
        for category in chance.sample(range(1, CATEGORIES + 1), 2):
            yield product, category


def _images(chance: random.Random, count: int) -> Rows:
    for number in range(1, count // IMAGE_EVERY + 1):
        product = number * IMAGE_EVERY
        size = chance.randrange(IMAGE_BYTES // 2, IMAGE_BYTES)
        yield number, product, f"SP-{product:06}.jpg", chance.randbytes(size)
