"""Calls that may be repeated: the same Idempotency-Key brings the first answer again.

The key, the answer and what the call did are one transaction. A second call at the same moment
waits for the first one's commit and then finds its answer.
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


def answer_once(
    *, user: User, path: str, key: str | None, body: Any, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What `make` answers, or what it answered to the first call with this key within 24 hours.

    Without a key it is simply called. An answer that raises is not kept: the call may be tried
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
    if stored.body_hash != body_hash:
        raise InvalidParameters(**{HEADER: "was used before with another body"})
    answer: dict[str, Any] = stored.answer
    return answer


def forget_old() -> None:
    """Delete the answers that no repeated call gets any more."""
    StoredAnswer.objects.filter(created_on__lt=timezone.now() - KEPT).delete()
