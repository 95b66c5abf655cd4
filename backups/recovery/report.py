"""What a recovery tells: for people, or as JSON."""

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from backups.facts import Findings
from backups.recovery.restore import Restored
from backups.recovery.survey import Found
from backups.store.manifest import Manifest

_TITLES = ("VERSION", "NAME", "CREATED BY", "TIME", "SIZE", "STATE")
_WHOLE = "whole"


def listing(projects: Mapping[str, Sequence[Found]], *, as_json: bool) -> str:
    """All versions of these projects, the newest first."""
    if as_json:
        told = {gid: [_version(one) for one in reversed(found)] for gid, found in projects.items()}
        return json.dumps({"projects": told})
    return "\n\n".join(_project(gid, found) for gid, found in projects.items())


def restored_text(restored: Restored, *, as_json: bool) -> str:
    """What was restored to where."""
    manifest, database = restored.manifest, restored.database
    if as_json:
        told = _label(manifest) | {
            "project": manifest.project,
            "version": manifest.version,
            "manifest": restored.name,
            "file": str(restored.path),
            "size": database.size,
            "sha256": database.sha256,
            "content_hash": restored.outline.content_hash.hex(),
            "integrity": _integrity(database.findings),
            "damage": restored.findings.damage or None,
            "unchecked": restored.findings.unchecked or None,
            "passed_over": [
                {"manifest": name, "reason": reason} for name, reason in restored.passed_over
            ],
        }
        return json.dumps(told)
    lines = (
        ("restored", f"version {manifest.version} of {manifest.project}"),
        ("name", f"{manifest.name}, by {manifest.created_by}, {_time(manifest)}"),
        ("file", f"{restored.path}, {database.size} bytes"),
        ("SHA-256", database.sha256),
        ("content", "the hash of what was backed up fits"),
        ("integrity", _integrity(database.findings, "SQLite's check found nothing wrong")),
    )
    return "\n".join(f"{title:<10} {shown(text)}" for title, text in lines)


def _integrity(findings: Findings, well: str = "ok") -> str:
    if findings.damage:
        return findings.damage
    return f"not fully checked: {findings.unchecked}" if findings.unchecked else well


def shown(text: str) -> str:
    """The text without what would steer a terminal: control characters become question marks."""
    return "".join(
        "?" if unicodedata.category(character) in ("Cc", "Cs") else character for character in text
    )


def _version(found: Found) -> dict[str, Any]:
    return {
        "version": found.version,
        "manifest": found.name,
        **(_label(found.manifest) if found.manifest else {}),
        "size": found.outline.size if found.outline else None,
        "restorable": found.is_whole,
        "unreadable": found.trouble or None,
        "damage": found.damage or found.findings.damage or None,
        "unchecked": found.findings.unchecked or None,
    }


def _state(found: Found) -> str:
    if found.damage:
        return found.damage
    if found.trouble:
        return f"it can't be read now: {found.trouble}"
    if found.findings.damage:
        return f"{_WHOLE}, of a damaged database: {found.findings.damage}"
    if found.findings.unchecked:
        return f"{_WHOLE}, not fully checked: {found.findings.unchecked}"
    return _WHOLE


def _label(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "created_by": manifest.created_by,
        "timestamp": manifest.created_on,
        "engine": manifest.engine,
    }


def _project(gid: str, found: Sequence[Found]) -> str:
    manifests = Counter(one.version for one in found)
    rows = [_TITLES]
    for one in reversed(found):
        several = f" ({one.name})" if manifests[one.version] > 1 else ""
        manifest = one.manifest
        rows.append(
            (
                str(one.version),
                manifest.name if manifest else "-",
                manifest.created_by if manifest else "-",
                _time(manifest) if manifest else "-",
                str(one.outline.size) if one.outline else "-",
                _state(one) + several,
            )
        )
    cells = [[shown(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([f"project {gid}", *lines])


def _time(manifest: Manifest) -> str:
    try:
        moment = datetime.fromtimestamp(manifest.created_on, UTC)
    except (ValueError, OverflowError, OSError):
        return "-"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
