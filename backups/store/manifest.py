"""A version's manifest: who made it, from what, and where its content's outline is.

The object's key is `<gid>/manifests/<version, 8 digits>-<hash>`, hash being the first 32 hex
digits of the BLAKE3 hash of the object's bytes. The object is a record (see `records`) of format
"savepoint-manifest", sealed with purpose "manifest:<version>":

    project, version, parent     gid; the version's number; the number of the version that it was
                                 compared with first, or null. The parent isn't needed to restore,
                                 and need not be the only one that objects are shared with.
    name, created_by, created_on texts; seconds since the epoch
    engine, tools                kind of database; versions of what read it
    outline, outline_length      name (32 bytes) and length of the outline's object (see `outline`).
                                 Versions with the same content share it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backups.errors import KeyUnknown, ManifestUnreadable, ObjectDamaged
from backups.store.fields import Fields
from backups.store.records import opened_record, sealed_record
from backups.store.seal import Seal
from backups.store.tables import NAME_SIZE, Table

FORMAT = "savepoint-manifest"


@dataclass(frozen=True)
class Manifest:
    """See the module for what the fields mean."""

    project: str
    version: int
    parent: int | None
    name: str
    created_by: str
    created_on: float
    engine: str
    tools: Mapping[str, str]
    outline: Table


def encoded(manifest: Manifest, seal: Seal) -> bytes:
    """The manifest as an object's bytes."""
    fields: dict[str, Any] = {
        "project": manifest.project,
        "version": manifest.version,
        "parent": manifest.parent,
        "name": manifest.name,
        "created_by": manifest.created_by,
        "created_on": manifest.created_on,
        "engine": manifest.engine,
        "tools": dict(manifest.tools),
        "outline": bytes.fromhex(manifest.outline.name),
        "outline_length": manifest.outline.length,
    }
    return sealed_record(FORMAT, fields, seal, _purpose(manifest.version))


def decoded(sealed: bytes, seal: Seal, *, project: str, version: int) -> Manifest:
    """The manifest in an object's bytes.

    Raises KeyUnknown, and ManifestUnreadable when anything about it is not as it must be.
    """
    try:
        manifest = _read(opened_record(FORMAT, sealed, seal, _purpose(version)))
        if (manifest.project, manifest.version) != (project, version):
            raise ManifestUnreadable("the manifest is that of another version")
    except KeyUnknown:
        raise
    except ObjectDamaged as error:
        raise ManifestUnreadable(f"the manifest of version {version}: {error.reason}") from error
    return manifest


def _read(fields: Fields) -> Manifest:
    return Manifest(
        project=fields.text("project"),
        version=fields.number("version", least=1),
        parent=fields.number_or_none("parent"),
        name=fields.text("name"),
        created_by=fields.text("created_by"),
        created_on=fields.real("created_on"),
        engine=fields.text("engine"),
        tools=fields.mapping("tools"),
        outline=Table(
            fields.data("outline", length=NAME_SIZE).hex(), fields.number("outline_length")
        ),
    )


def _purpose(version: int) -> str:
    return f"manifest:{version}"
