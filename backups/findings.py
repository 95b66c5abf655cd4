"""What Savepoint's own database keeps, and clients see, of a version's facts: bounded in size.

All of the facts lie in the storage, sealed with the version.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from backups.facts import DAMAGE, STRUCTURE_CHECKED, UNCHECKED, Findings, findings_of

TEXT_LENGTH = 500
"""The most characters of a text about damage, or about what could not be checked."""

FACTS_BYTES = 32 * 1024
"""The most bytes of JSON that a version's row keeps of its facts."""

_OF_VALUES = "SQLite reports of rows: "
_TABLES, _TABLES_MORE = "tables", "tables_more"
_NAME_LENGTH = 200
_LIST_LENGTH = 20
_SOUNDNESS = (DAMAGE, UNCHECKED, STRUCTURE_CHECKED)


def shortened(text: str, length: int = TEXT_LENGTH) -> str:
    """The text, or its beginning and dots, in at most so many characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


def bounded_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts in at most FACTS_BYTES of JSON: tables are left out first, and counted."""
    kept = dict(facts)
    if _bytes_of(kept) <= FACTS_BYTES:
        return kept
    listed = kept.pop(_TABLES, {})
    tables: dict[str, Any] = dict(listed) if isinstance(listed, Mapping) else {}
    more = kept.pop(_TABLES_MORE, 0)
    if _bytes_of(kept) > FACTS_BYTES // 2:
        kept = {name: _cut(value) for name, value in kept.items() if len(name) <= _NAME_LENGTH}
    if _bytes_of(kept) > FACTS_BYTES // 2:
        kept = {name: kept[name] for name in _SOUNDNESS if name in kept}
    kept[_TABLES], kept[_TABLES_MORE] = {}, len(tables) + (more if isinstance(more, int) else 0)
    left = FACTS_BYTES - _bytes_of(kept)
    for name, rows in tables.items():
        left -= _bytes_of({name: rows})  # its braces stand for the comma and the space
        if left < 0:
            break
        kept[_TABLES][name] = rows
        kept[_TABLES_MORE] -= 1
    return kept


def columns_of_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a version's row that its facts fill."""
    return {"facts": bounded_facts(facts), **columns_of_findings(findings_of(facts), ())}


def columns_of_findings(findings: Findings, remarks: Iterable[str]) -> dict[str, Any]:
    """The columns of a version's row that tell of its database's soundness; `remarks`: those that
    the row has."""
    return {
        "damage": shortened(findings.damage),
        "unchecked": shortened(findings.unchecked),
        "remarks": remarks_with(findings, remarks),
    }


def remarks_with(findings: Findings, remarks: Iterable[str] = ()) -> list[str]:
    """These remarks, with what is known of values now in place of what was known."""
    kept = [remark for remark in remarks if not remark.startswith(_OF_VALUES)]
    return [*kept, shortened(_OF_VALUES + findings.values)] if findings.values else kept


def as_fields(findings: Findings) -> dict[str, Any]:
    """As the fields `damage` and `unchecked` that clients see: a text or null."""
    return {
        name: shortened(text) or None
        for name, text in (("damage", findings.damage), ("unchecked", findings.unchecked))
    }


def as_info(findings: Findings, remarks: Iterable[str] = ()) -> dict[str, Any]:
    """As a job's info tells it: only what there is. `remarks`: others of the version."""
    info: dict[str, Any] = {name: text for name, text in as_fields(findings).items() if text}
    if told := remarks_with(findings, remarks):
        info["remarks"] = told
    return info


def _bytes_of(value: Any) -> int:
    return len(json.dumps(value))


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return shortened(value)
    if isinstance(value, list):
        return [_cut(item) for item in value[:_LIST_LENGTH]]
    return value
