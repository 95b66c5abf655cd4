"""docs/format.md tells the truth: a reader that was written from it alone reads what is stored."""

import re
import stat
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from .format_reader import FormatReader, Unreadable, derived, key_id, master_key
from .histories import KEY, NEW_KEY, History, eventful

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "format.md"


def read_all(store: Path, history: History) -> None:
    reader = FormatReader(store, list(history.keys), history.gid)
    names = reader.manifests()
    assert names.keys() == {stored.version for stored in history.versions}
    for stored in history.versions:
        (name,) = names[stored.version]
        assert reader.content(name) == stored.content
        manifest = reader.manifest(name)
        assert (manifest["name"], manifest["created_by"]) == (stored.name, "the tests")
        assert manifest["engine"] == "sqlite"


@pytest.mark.parametrize(
    ("page_size", "pages_in_block"), [(512, 4), (512, 13), (1024, 3), (4096, 1), (8192, 2)]
)
def test_an_independent_reader_gives_each_version_bit_for_bit(
    tmp_path: Path, page_size: int, pages_in_block: int
) -> None:
    store = tmp_path / "store"
    history = eventful(History(tmp_path, store, page_size=page_size, pages_in_block=pages_in_block))
    assert len({len(stored.content) for stored in history.versions}) > 3
    read_all(store, history)


def test_the_histories_have_what_makes_a_format_hard(tmp_path: Path) -> None:
    """Joined layers, shared tables, several packs of several versions, two keys."""
    history = eventful(History(tmp_path, tmp_path / "store", pages_in_block=13))
    project = history.project_store
    outlines = [
        project.read_outline(project.read_manifest(stored.taken.manifest_key))
        for stored in history.versions
    ]
    chains = [[len(chain) for chain in outline.chains] for outline in outlines]
    assert max(map(max, chains)) > 12
    assert any(len(before) == len(after) and before > after for before, after in pairwise(chains))
    assert len({chain for outline in outlines for chain in outline.chains}) < sum(map(len, chains))
    assert max(len(outline.packs) for outline in outlines) > 5
    assert outlines[-1].identifier_key == key_id(KEY)
    sealed = project.store.get(history.versions[-1].taken.manifest_key)
    assert sealed[5:13] == key_id(NEW_KEY)


def test_a_content_of_no_bytes_is_read(tmp_path: Path) -> None:
    history = History(tmp_path, tmp_path / "store")
    history.database.write_bytes(b"")
    history.take()
    assert history.versions[0].content == b""
    read_all(tmp_path / "store", history)


def cut(data: bytes) -> bytes:
    return data[:-1]


def flipped(data: bytes) -> bytes:
    return data[:-20] + bytes([data[-20] ^ 1]) + data[-19:]


@pytest.mark.parametrize("damage", [cut, flipped])
def test_the_independent_reader_takes_no_damaged_object_for_whole(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    store = tmp_path / "store"
    history = History(tmp_path, store)
    history.grow(20)
    history.take()
    reader = FormatReader(store, [KEY], history.gid)
    (name,) = reader.manifests()[1]
    for path in [path for path in store.rglob("*") if path.is_file()]:
        whole = path.read_bytes()
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        path.write_bytes(damage(whole))
        with pytest.raises(Unreadable):
            reader.content(name)
        path.write_bytes(whole)
    assert reader.content(name) == history.versions[0].content
    with pytest.raises(Unreadable, match="key"):
        FormatReader(store, [NEW_KEY], history.gid).content(name)


def test_the_keys_in_the_document_are_those_that_a_reader_derives() -> None:
    text = DOCUMENT.read_text()
    told = dict(re.findall(r"^\| (key id|\w+ key) \| `([0-9a-f]+)` \|$", text, re.M))
    material = bytes(32) + b"00000000-0000-4000-8000-000000000000"
    assert told == {
        "key id": key_id(bytes(32)).hex(),
        "sealing key": derived("sealing key of a project", material).hex(),
        "block key": derived("block identifier key of a project", material).hex(),
        "mark key": derived("unit mark key of a project", material).hex(),
        "content key": derived("content hash key of a project", material).hex(),
    }


@pytest.mark.parametrize(
    "text",
    [
        KEY.hex(),
        KEY.hex().upper(),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ],
)
def test_a_key_is_read_from_any_of_its_forms(text: str) -> None:
    assert master_key(text) == KEY
