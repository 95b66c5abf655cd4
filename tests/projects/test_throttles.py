"""Calls are counted, and who is counted as one."""

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from projects import counters
from projects.throttles import network_of


@pytest.fixture(autouse=True)
def fresh(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.RUN_DIR = tmp_path
    yield
    for place in [place for place in counters._opened if place[1].parent == tmp_path]:
        counters._opened.pop(place).close()


def sign_in(name: str, address: str = "198.51.100.1") -> int:
    body = {"username": name, "password": "wrong"}
    response = Client(REMOTE_ADDR=address).post("/api/login", body, content_type="application/json")
    return response.status_code


def by_form(name: str, address: str = "198.51.100.1") -> int:
    body = {"username": name, "password": "wrong"}
    return Client(REMOTE_ADDR=address).post("/admin/login/", body).status_code


def rates(settings: Any, **changed: str) -> None:
    settings.THROTTLE_RATES = settings.THROTTLE_RATES | changed


def test_a_share_is_used_up_and_fills_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(counters.time, "time", lambda: now)
    assert [counters.take("a", 3, 60) for _ in range(3)] == [0, 0, 0]
    assert counters.take("a", 3, 60) == pytest.approx(20)
    assert counters.take("b", 3, 60) == 0
    now += 19
    assert counters.take("a", 3, 60) == pytest.approx(1)
    now += 1
    assert counters.take("a", 3, 60) == 0
    assert counters.take("a", 3, 60) == pytest.approx(20)
    now += 1000
    assert [counters.take("a", 3, 60) for _ in range(3)] == [0, 0, 0]
    assert counters.take("a", 3, 60) > 0


def test_a_clock_that_is_set_back_locks_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(counters.time, "time", lambda: now)
    for _ in range(3):
        counters.take("a", 3, 60)
    now -= 86400 * 2
    assert [bool(counters.take("a", 3, 60)) for _ in range(4)] == [False, False, False, True]


def test_what_says_nothing_any_more_is_forgotten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(counters.time, "time", lambda: now)
    for number in range(1000):
        counters.take(f"key {number}", 10, 60)
    now += 61
    counters.take("another", 10, 60)
    with closing(sqlite3.connect(tmp_path / "counters.sqlite3")) as file:
        assert file.execute("SELECT count(*) FROM counters").fetchone() == (1,)


@pytest.mark.django_db
def test_a_flood_of_calls_makes_nobody_forget_who_guessed(settings: Any) -> None:
    rates(settings, sign_in_name="2/h")
    assert [sign_in("guessed-at") for _ in range(3)] == [401, 401, 429]
    for number in range(400):
        assert sign_in(f"name {number}", f"198.51.{number % 200}.7") == 401
    assert sign_in("guessed-at") == 429


def _take(folder: Path, results: Any) -> None:
    from django.conf import settings

    settings.RUN_DIR = folder
    results.put([counters.take("shared", 20, 3600) for _ in range(10)])


def test_web_processes_count_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    counters.take("shared", 20, 3600)
    processes = [context.Process(target=_take, args=(tmp_path, results)) for _ in range(4)]
    for process in processes:
        process.start()
    taken = [wait for _ in processes for wait in results.get(timeout=60)]
    for process in processes:
        process.join(timeout=60)
    assert sum(not wait for wait in taken) == 19


@pytest.mark.parametrize("harm", ["no folder", "damage"])
def test_where_the_file_is_no_good_a_process_counts_alone(
    settings: Any, tmp_path: Path, harm: str
) -> None:
    if harm == "no folder":
        settings.RUN_DIR = tmp_path / "file"
        settings.RUN_DIR.write_text("no folder")
    else:
        (tmp_path / "counters.sqlite3").write_bytes(b"no database" * 1000)
    key = f"alone {harm}"
    waits = [counters.take(key, 2, 3600) for _ in range(5)]
    assert not waits[0]
    assert waits[-1] > 0


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:198.51.100.1", "198.51.100.1", True),
        ("::ffff:198.51.100.1", "::ffff:198.51.100.2", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("nonsense", "nonsense", True),
        ("nonsense", "other", False),
    ],
)
def test_addresses_are_counted_by_whom_they_belong_to(one: str, other: str, alike: bool) -> None:
    assert (network_of(one) == network_of(other)) is alike


@pytest.mark.django_db
def test_the_addresses_of_one_network_have_one_share(settings: Any) -> None:
    rates(settings, sign_in_address="2/h")
    found = [sign_in(f"name {number}", f"2001:db8::{number}") for number in range(3)]
    assert found == [401, 401, 429]


@pytest.mark.django_db
@pytest.mark.parametrize("other", [" root ", "root\u3000", "\uff52oot", "r\u1d52ot"])
def test_names_that_the_form_reads_alike_have_one_share(settings: Any, other: str) -> None:
    rates(settings, sign_in_name="2/h")
    assert [by_form("root"), by_form(other)] == [200, 200]
    assert by_form("root") == 429
    assert by_form(other) == 429
    assert sign_in("root") == 429


@pytest.mark.django_db
def test_a_name_has_a_slow_share_over_all_addresses(settings: Any) -> None:
    rates(settings, sign_in_anywhere="3/d")
    tries = [sign_in("guessed-at", f"198.51.100.{number}") for number in range(4)]
    assert tries == [401, 401, 401, 429]
    assert by_form("guessed-at", "198.51.100.9") == 429
    assert sign_in("another") == 401


@pytest.mark.django_db
def test_what_is_refused_for_its_address_is_not_counted_for_the_name(settings: Any) -> None:
    rates(settings, sign_in_address="1/h", sign_in_anywhere="3/d")
    for number in range(5):
        assert sign_in("victim", "203.0.113.1") == (429 if number else 401)
    assert sign_in("victim", "203.0.113.2") == 401
