"""Calls that may be repeated: the same Idempotency-Key brings the first result again.

The key, the result and what the call did are one transaction. A second call at the same moment
waits for the first one's commit and then finds its result.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from projects.errors import InvalidParameters
from projects.models import StoredAnswer, User

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
MAX_LENGTH = 255
# So many keys of a user are remembered: of more, the oldest are forgotten before their time.
MAX_KEYS = 10_000


def result_once(
    *, user: User, path: str, key: str | None, body: Any, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """The result of `make`, or that of the first call with this key within 24 hours.

    Without a key it is simply called. When it raises nothing is kept: the call may be tried
    again. Raises InvalidParameters for a bad key, or one that came with another body before.
    """
    if key is None:
        return make()
    if not (0 < len(key) <= MAX_LENGTH and key.isascii() and key.isprintable()):
        reason = f"must be 1 to {MAX_LENGTH} printable ASCII characters"
        raise InvalidParameters(**{HEADER: reason})
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    body_hash = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    now = timezone.now()
    with transaction.atomic():
        # On SQLite the transaction's write lock, elsewhere the unique row makes the second wait.
        StoredAnswer.objects.filter(
            user=user, path=path, key=key, created_on__lt=now - KEPT
        ).delete()
        stored, is_first = StoredAnswer.objects.get_or_create(
            user=user, path=path, key=key, defaults={"body_hash": body_hash, "created_on": now}
        )
        if is_first:
            stored.answer = make()
            stored.save(update_fields=["answer"])
            _forget_beyond(user)
    if stored.body_hash != body_hash:
        raise InvalidParameters(**{HEADER: "was used before with another body"})
    # Earlier releases kept whole answers.
    result: dict[str, Any] = stored.answer.get("result", stored.answer)
    return result


def _forget_beyond(user: User) -> None:
    """Forget the oldest keys of a user who has very many."""
    keys = StoredAnswer.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)
    if (too_old := keys[MAX_KEYS : MAX_KEYS + 1].first()) is not None:
        StoredAnswer.objects.filter(user=user, pk__lte=too_old).delete()


def forget_old() -> None:
    """Delete the answers that no repeated call gets any more."""
    StoredAnswer.objects.filter(created_on__lt=timezone.now() - KEPT).delete()
