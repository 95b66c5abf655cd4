"""What is in a storage is told from the storage and the key alone."""

import json

from .disaster import Disaster, damage, packs_only_of
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
    assert lines[1].endswith("whole")
    assert "damaged" in lines[2]
    assert blocks[f"project {OTHER}"].splitlines()[1].endswith("whole")


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
