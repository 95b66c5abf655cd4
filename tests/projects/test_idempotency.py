"""How much is kept for calls that may be repeated."""

import pytest

from projects import idempotency
from projects.models import StoredAnswer, User
from projects.services import create_user

pytestmark = pytest.mark.django_db


def call(user: User, key: str) -> int:
    """Which call it was that brought the result."""
    made = StoredAnswer.objects.count() + 1
    result = idempotency.result_once(
        user=user, path="/api/x", key=key, body={}, make=lambda: {"made": made}
    )
    return int(result["made"])


def test_of_very_many_keys_of_a_user_the_oldest_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(idempotency, "MAX_KEYS", 5)
    user, other = (create_user(username=name, password="x" * 12) for name in ("many", "few"))
    call(other, "theirs")
    for number in range(8):
        call(user, f"key {number}")
    kept = StoredAnswer.objects.filter(user=user).values_list("key", flat=True)
    assert sorted(kept) == [f"key {number}" for number in range(3, 8)]
    assert StoredAnswer.objects.filter(user=other).exists()
    assert call(user, "key 7") == call(user, "key 7")


def test_an_answer_that_an_earlier_release_kept_brings_its_result() -> None:
    user = create_user(username="before", password="x" * 12)
    call(user, "old")
    StoredAnswer.objects.update(answer={"result": {"made": 7}, "data": {"cc.projects": {}}})
    assert call(user, "old") == 7
