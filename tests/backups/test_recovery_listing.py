"""What is in a storage is told from the storage and the key alone."""

import json

from backups.store.tables import table_key

from .disaster import Disaster, damage, make_unreadable, packs_only_of
from .histories import GID, History

OTHER = "11111111-2222-4333-8444-555555555555"


def test_all_projects_and_versions_are_listed_with_what_is_damaged(
    disaster: Disaster, history: History
) -> None:
    other = History(disaster.folder, disaster.store, OTHER, seed=2)
    other.grow(10)
    other.take()
    done = disaster.run("--list", "--json", "--key-file", str(disaster.key_file))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["projects"]
    assert [one["version"] for one in told[GID]] == [3, 2, 1]
    for one, stored in zip(reversed(told[GID]), history.versions, strict=True):
        assert (one["name"], one["created_by"]) == (stored.name, "the tests")
        assert (one["size"], one["damage"]) == (len(stored.content), None)
        assert one["timestamp"] == 1767225600.25 + stored.version
    assert [one["version"] for one in told[OTHER]] == [1]

    (pack,) = packs_only_of(history, 3)
    pack.unlink()
    damage(disaster.store / history.versions[0].taken.manifest_key)
    done = disaster.run("--list", "--key-file", str(disaster.key_file))
    assert done.returncode == 3
    blocks = dict(block.split("\n", 1) for block in done.stdout.strip().split("\n\n"))
    lines = blocks[f"project {GID}"].splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["3", "2", "1"]
    assert "missing or cut off" in lines[0]
    assert "  whole" in lines[1]
    assert "damaged" in lines[2]
    assert blocks[f"project {OTHER}"].splitlines()[1].count("  whole") == 1


def test_a_disk_that_fails_to_read_is_not_damage_of_a_version(
    disaster: Disaster, history: History
) -> None:
    project = history.project_store
    outline = project.read_manifest(history.versions[2].taken.manifest_key).outline
    make_unreadable(disaster.store / table_key(GID, outline.name))
    make_unreadable(disaster.store / history.versions[0].taken.manifest_key)
    done = disaster.run("--list", "--json", "--key-file", str(disaster.key_file))
    assert done.returncode == 3
    told = json.loads(done.stdout)["projects"][GID]
    assert [(one["version"], one["restorable"], bool(one["unreadable"])) for one in told] == [
        (3, False, True),
        (2, True, False),
        (1, False, True),
    ]
    assert [one["damage"] for one in told] == [None, None, None]
    shown = disaster.run("--list", "--key-file", str(disaster.key_file)).stdout
    assert shown.count("can't be read now") == 2
    assert "damage" not in shown
    # What can be had is had.
    assert disaster.restore()["version"] == 2


def test_a_damaged_database_is_told_of_a_version_that_is_whole_and_of_its_file(
    disaster: Disaster, history: History
) -> None:
    data = bytearray(history.database.read_bytes())
    data[512 * 9 : 512 * 12] = bytes(512 * 3)
    history.database.write_bytes(data)
    stored = history.take(keep_damaged=True)
    done = disaster.run("--list", "--json", "--key-file", str(disaster.key_file))
    assert done.returncode == 0
    newest = json.loads(done.stdout)["projects"][GID][0]
    assert (newest["version"], newest["restorable"]) == (4, True)
    assert newest["damage"] == stored.taken.facts["damage"]
    shown = disaster.run("--list", "--key-file", str(disaster.key_file)).stdout
    assert "whole, of a damaged database: " in shown
    target = ("--to", str(disaster.target), "--key-file", str(disaster.key_file))
    done = disaster.run(GID, *target, "--json")
    assert done.returncode == 5
    assert json.loads(done.stdout)["damage"]
    assert disaster.target.read_bytes() == stored.content


def test_of_two_attempts_at_one_version_each_can_be_had(
    disaster: Disaster, history: History
) -> None:
    first = history.versions.pop()
    history.grow(1)
    second = history.take()
    assert first.version == second.version
    names = {one.taken.manifest_key.rpartition("/")[2]: one for one in (first, second)}
    for name, stored in names.items():
        told = disaster.restore("--manifest", name, "--force")
        assert told["manifest"] == name
        assert disaster.target.read_bytes() == stored.content
    chosen = names[disaster.restore("--version", "3", "--force")["manifest"]]
    assert disaster.target.read_bytes() == chosen.content
    done = disaster.run(
        *(GID, "--to", str(disaster.target), "--force", "--key-file", str(disaster.key_file))
    )
    (other,) = names.keys() - {chosen.taken.manifest_key.rpartition("/")[2]}
    assert f"choose with --manifest {other}" in done.stderr
    (disaster.store / chosen.taken.manifest_key).unlink()
    assert disaster.restore("--force")["manifest"] == other
    listed = disaster.run("--list", "--key-file", str(disaster.key_file)).stdout
    assert listed.count("whole") == 3


def test_control_characters_in_what_is_listed_never_reach_the_terminal(
    disaster: Disaster, history: History
) -> None:
    history.name = "red \x1b[31m"
    history.take()
    shown = disaster.run("--list", "--key-file", str(disaster.key_file)).stdout
    assert "red ?[31m" in shown
    assert "\x1b" not in shown
