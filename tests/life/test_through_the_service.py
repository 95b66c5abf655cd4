"""A handful of the databases of real life through a running Savepoint, as its clients meet it."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_files import download, imported
from tests.e2e.test_people import make_people, new_project, signed_in
from tests.service import Client, Service

from .case import Case, Kind
from .cases import CASES
from .others import other_like
from .pages import content_at, in_wal_mode, lie_at
from .test_matrix import differs

CHOSEN = {
    case.name: case
    for case in CASES
    if case.name
    in (
        "tokenizer of the application",
        "index that lacks rows",
        "file that ends early",
        "empty file",
    )
}


@pytest.fixture(scope="module")
def owner(service: Service) -> Client:
    make_people(service, "life")
    return signed_in(service, "life")


class Caller:
    """One project, over the API."""

    def __init__(self, owner: Client, service: Service) -> None:
        self.owner = owner
        self.gid = new_project(owner, name="Life")
        self.folder = service.folder / "databases"
        self.path = self.folder / f"{self.gid}.sqlite3"

    def done(self, call: str, **body: Any) -> dict[str, Any]:
        """The result of a call that starts a job, with the info at the job's end."""
        cursor = self.owner.cursor()
        result = self.owner.call(f"/api/p/{self.gid}/backups/{call}", **body)
        last = self.owner.wait_for(result["job.token"], cursor)[-1]
        return result | {"info": last["data"]["info"]}

    def undo(self) -> int:
        """Go back to what the newest restore has kept; the version that this was."""
        kept = int(self.owner.versions(self.gid)[0]["version"])
        ended_well(self.done("restore", version=kept))
        return kept

    def told(self, version: int) -> dict[str, Any]:
        """What is told of a version."""
        answer = self.owner.call(f"/api/p/{self.gid}/backups/get", version=version)
        found: dict[str, Any] = answer["backups"][0]
        return found


def ended_well(result: dict[str, Any]) -> dict[str, Any]:
    assert "error" not in result["info"], result
    return result


@pytest.mark.parametrize("case", CHOSEN.values(), ids=CHOSEN.keys())
def test_over_the_api(case: Case, service: Service, owner: Client, tmp_path: Path) -> None:
    is_damaged = case.kind is Kind.DAMAGED
    case.build(tmp_path / "case")
    content = in_wal_mode(content_at(tmp_path / "case"), yes=True)
    other = other_like(content, tmp_path / "other", wal=True)
    caller = Caller(owner, service)
    lie_at(caller.path, content)
    made = caller.done("create", created_by="life")
    assert ("error" in made["info"]) == is_damaged
    if is_damaged:
        reason = made["info"]["error"]["info"]["reason"]
        assert any(words in reason for words in case.says) and "keep_damaged" in reason
        made = ended_well(caller.done("create", created_by="life", keep_damaged=True))
    version = made["version"]
    told = caller.told(version)
    assert bool(told["damage"]) == is_damaged
    assert is_damaged or bool(told["unchecked"]) == (case.kind is Kind.PARTLY)

    lie_at(caller.path, other)
    restored = ended_well(caller.done("restore", version=version))
    assert bool(restored["info"].get("damage")) == is_damaged
    assert not differs(content_at(caller.path), content)
    caller.undo()
    assert not differs(content_at(caller.path), other)
    told = caller.told(caller.undo())
    assert told["damage"] or told["unchecked"] if is_damaged else not told["damage"]
    assert not differs(content_at(caller.path), content)
    ended_well(caller.done("verify", version=version))
    told = caller.told(version)
    assert told["verified_on"] and bool(told["damage"]) == is_damaged
    cursor = owner.cursor()
    clone = owner.call(f"/api/p/{caller.gid}/backups/clone", version=version)
    last = owner.wait_for(clone["job.token"], cursor)[-1]
    assert "error" not in last["data"]["info"], last
    assert not differs(content_at(caller.folder / f"{clone['project']}.sqlite3"), content)

    downloaded = download(owner, caller.gid, version).content
    assert downloaded == content
    (tmp_path / "downloaded").write_bytes(downloaded)
    result = imported(owner, caller.gid, tmp_path / "downloaded")
    assert ("error" in result["info"]) == is_damaged
    result = imported(owner, caller.gid, tmp_path / "downloaded", keep_damaged="true")
    assert "error" not in result["info"], result
    assert bool(caller.told(result["version"])["damage"]) == is_damaged
    assert download(owner, caller.gid, result["version"]).content == content
