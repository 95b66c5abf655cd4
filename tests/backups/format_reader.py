"""A reader of stored versions, written from docs/format.md alone: it shares no code with Savepoint.

Simple before fast: one object after the other, the content as a whole in memory.
"""

import base64
import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import cbor2
import zstandard
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Unreadable(Exception):
    """The version is damaged, or not of this format, or sealed with another key."""


def check(sound: object, what: str) -> None:
    if not sound:
        raise Unreadable(what)


def master_key(text: str) -> bytes:
    """A key from its text."""
    if re.fullmatch("[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_").rstrip("=") + "=")


def derived(use: str, material: bytes, length: int = 32) -> bytes:
    context = f"savepoint 2026 v1 {use}"
    return blake3(material, derive_key_context=context).digest(length=length)


def key_id(key: bytes) -> bytes:
    return derived("id of a master key", key, 8)


class FormatReader:
    """The versions of one project in a folder."""

    def __init__(self, folder: Path, keys: list[bytes], gid: str) -> None:
        self.folder = folder
        self.gid = gid
        self.keys = {key_id(key): key for key in keys}

    def manifests(self) -> dict[int, list[str]]:
        """The names of the manifests of each version."""
        names: dict[int, list[str]] = {}
        for path in sorted((self.folder / self.gid / "manifests").iterdir()):
            if not path.name.startswith("."):
                names.setdefault(int(path.name.partition("-")[0]), []).append(path.name)
        return names

    def manifest(self, name: str) -> dict[str, Any]:
        """A version's manifest."""
        number, _, digest = name.partition("-")
        sealed = self.object(f"manifests/{name}")
        check(blake3(sealed).hexdigest()[:32] == digest, "the manifest is not the one of its name")
        manifest = self.record(sealed, "manifest", f"manifest:{int(number)}")
        check(manifest["project"] == self.gid, "the manifest is another project's")
        check(manifest["version"] == int(number), "the manifest is another version's")
        return manifest

    def outline(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """What a version's content is made of."""
        outline = self.table(manifest["outline"], manifest["outline_length"], "outline")
        check(outline["block_size"] % outline["grain"] == 0, "blocks are made of grains")
        per_segment = outline["segment_blocks"] * outline["block_size"]
        check(
            len(outline["chain_lengths"]) == -(-outline["size"] // per_segment),
            "there are too few or too many segments",
        )
        return outline

    def content(self, name: str) -> bytes:
        """The content of the version with this manifest, checked."""
        outline = self.outline(self.manifest(name))
        packs = self.packs(outline)
        names = split(outline["layer_names"], 32)
        lengths = column(outline["layer_lengths"])
        check(len(names) == len(lengths) == sum(outline["chain_lengths"]), "layers are listed")
        layers = iter(zip(names, lengths, strict=True))
        content = bytearray()
        ids: list[bytes] = []
        for chain_length in outline["chain_lengths"]:
            check(chain_length >= 1, "a segment has layers")
            chain = [next(layers) for _ in range(chain_length)]
            self.add_segment(outline, packs, chain, content, ids)
        check(len(content) == outline["size"], "the content is as long as it was")
        self.check_hashes(outline, bytes(content), ids)
        return bytes(content)

    def packs(self, outline: dict[str, Any]) -> dict[int, tuple[bytes, int]]:
        """The names and lengths of the packs by number."""
        numbers, lengths = column(outline["pack_numbers"]), column(outline["pack_lengths"])
        names = split(outline["pack_names"], 32)
        check(len(numbers) == len(names) == len(lengths), "packs are listed")
        check(numbers == sorted(set(numbers)), "pack numbers ascend")
        check(not numbers or numbers[-1] < outline["next_pack"], "pack numbers are below the next")
        return dict(zip(numbers, zip(names, lengths, strict=True), strict=True))

    def add_segment(
        self,
        outline: dict[str, Any],
        packs: dict[int, tuple[bytes, int]],
        chain: list[tuple[bytes, int]],
        content: bytearray,
        ids: list[bytes],
    ) -> None:
        """Append the segment's part of the content, and the ids of its blocks."""
        grain, block_size = outline["grain"], outline["block_size"]
        block_ids: dict[int, bytes] = {}
        # A grain's frame, its slot in that, and its mark.
        places: dict[int, tuple[tuple[int, ...], int, bytes]] = {}
        for name, length in chain:
            layer = self.table(name, length, "layer")
            for block, block_id in zip(
                column(layer["blocks"]), split(layer["ids"], 16), strict=True
            ):
                block_ids[block] = block_id
            grains = list(told_grains(layer, block_size // grain, outline["segment_blocks"]))
            slots = list(told_places(layer, grain))
            marks = split(layer["marks"], 8) or [b""] * len(grains)
            check(len(grains) == len(slots) == len(marks), "each grain has a place and a mark")
            for number, (frame, slot), mark in zip(grains, slots, marks, strict=True):
                places[number] = (frame, slot, mark)
        end = min(outline["size"], len(content) + outline["segment_blocks"] * block_size)
        opened: dict[tuple[int, ...], bytes] = {}
        number = 0
        while len(content) < end:
            wanted = min(grain, outline["size"] - len(content))
            check(number in places, "each grain is told of")
            frame, slot, mark = places[number]
            if frame not in opened:
                opened[frame] = self.frame(packs, frame)
            found = opened[frame][slot * grain : slot * grain + wanted]
            check(len(found) == wanted, "a grain lies within its frame")
            check(mark in (b"", self.mark(outline, found)), "a grain is not the one of its mark")
            content += found
            number += 1
        for block in range(-(-number * grain // block_size)):
            check(block in block_ids, "each block has an id")
            ids.append(block_ids[block])

    def mark(self, outline: dict[str, Any], grain: bytes) -> bytes:
        """What a writer knows a grain by; a reader could do without."""
        material = self.hash_key(outline) + self.gid.encode()
        key = derived("unit mark key of a project", material)
        return AESGCM(key).encrypt(bytes(12), b"", grain)[:8]

    def hash_key(self, outline: dict[str, Any]) -> bytes:
        """The master key of the version's hashes."""
        check(outline["identifier_key"] in self.keys, "the key of the hashes is not among these")
        return self.keys[outline["identifier_key"]]

    def check_hashes(self, outline: dict[str, Any], content: bytes, ids: list[bytes]) -> None:
        """The id of each block, and the content hash."""
        material = self.hash_key(outline) + self.gid.encode()
        block_key = derived("block identifier key of a project", material)
        digests = [
            blake3(content[at : at + outline["block_size"]], key=block_key).digest()
            for at in range(0, len(content), outline["block_size"])
        ]
        check([digest[:16] for digest in digests] == ids, "a block is not the one of its id")
        content_key = derived("content hash key of a project", material)
        whole = blake3(b"".join(digests), key=content_key).digest()
        check(whole == outline["content_hash"], "the content is not the one of its hash")

    def frame(self, packs: dict[int, tuple[bytes, int]], frame: tuple[int, ...]) -> bytes:
        """What a frame holds."""
        number, offset, length, raw_length = frame
        check(number in packs, "a frame's pack is listed")
        name, pack_length = packs[number]
        check(offset + length <= pack_length, "a frame lies within its pack")
        pack = self.object(f"packs/{name.hex()[:2]}/{name.hex()}")
        raw = self.decompressed(self.opened(pack[offset : offset + length], "frame"))
        check(len(raw) == raw_length, "a frame holds as much as is told of it")
        return raw

    def table(self, name: bytes, length: int, kind: str) -> dict[str, Any]:
        """The outline or layer with this name."""
        sealed = self.object(f"tables/{name.hex()[:2]}/{name.hex()}")
        check(len(sealed) == length and blake3(sealed).digest() == name, "a table is damaged")
        return self.record(sealed, kind, kind)

    def object(self, path: str) -> bytes:
        """An object's bytes."""
        try:
            return (self.folder / self.gid / path).read_bytes()
        except FileNotFoundError as error:
            raise Unreadable(f"{path} is missing") from error

    def record(self, sealed: bytes, kind: str, purpose: str) -> dict[str, Any]:
        """A sealed map."""
        plain = self.decompressed(self.opened(sealed, purpose))
        try:
            fields: dict[str, Any] = cbor2.loads(plain)
        except cbor2.CBORError as error:
            raise Unreadable("a record is no CBOR") from error
        check(cbor2.dumps(fields, canonical=True) == plain, "a record is not deterministic CBOR")
        check(fields["format"] == f"savepoint-{kind}", "a record is of another kind")
        check(fields["format_version"] == 1, "a record is of another version of the format")
        return fields

    def opened(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed for this purpose."""
        check(sealed[:5] == b"SVPT\1", "an object has no seal of version 1")
        check(sealed[5:13] in self.keys, "the key of an object is not among these")
        material = self.keys[sealed[5:13]] + self.gid.encode()
        key = derived("sealing key of a project", material)
        gid = self.gid.encode()
        bound = sealed[:13] + len(gid).to_bytes(2, "big") + gid + purpose.encode()
        try:
            return AESGCM(key).decrypt(sealed[13:25], sealed[25:], bound)
        except (InvalidTag, ValueError) as error:
            raise Unreadable("a seal does not open") from error

    @staticmethod
    def decompressed(data: bytes) -> bytes:
        """What a zstd frame holds."""
        try:
            check(zstandard.frame_content_size(data) >= 0, "a zstd frame tells its size")
            return zstandard.ZstdDecompressor().decompress(data)
        except zstandard.ZstdError as error:
            raise Unreadable("a zstd frame can't be decompressed") from error


def told_grains(layer: dict[str, Any], per_block: int, segment_blocks: int) -> Iterator[int]:
    """The numbers in the segment of the grains that a layer tells of."""
    blocks = column(layer["blocks"])
    bitmaps = split(layer["grains"], -(-per_block // 8))
    check(blocks == sorted(set(blocks)), "blocks ascend")
    check(not blocks or blocks[-1] < segment_blocks, "blocks lie in the segment")
    check(len(blocks) == len(bitmaps), "each block has a bitmap")
    told = 0
    for block, bitmap in zip(blocks, bitmaps, strict=True):
        bits = int.from_bytes(bitmap, "little")
        check(bits < 1 << per_block, "a block has no more grains")
        for bit in range(per_block):
            if bits >> bit & 1:
                told += 1
                yield block * per_block + bit
    check(len(layer["marks"]) == (8 * told if per_block > 1 else 0), "each grain has its mark")


def told_places(layer: dict[str, Any], grain: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """The frames and slots of the grains that a layer tells of."""
    frames = rows(layer["frames"], "pack", "offset", "length", "raw_length")
    for place, slot, count in rows(layer["runs"], "frame", "slot", "count"):
        check(place < len(frames) and count, "a run names a frame of its layer")
        check((slot + count - 1) * grain < frames[place][3], "a run lies within its frame")
        for step in range(count):
            yield frames[place], slot + step


def column(stored: list[int]) -> list[int]:
    numbers = list(accumulate(stored))
    check(all(0 <= number < 1 << 63 for number in numbers), "a column's numbers are in range")
    return numbers


def rows(columns: dict[str, list[int]], *names: str) -> list[tuple[int, ...]]:
    found = [column(columns[name]) for name in names]
    check(len(set(map(len, found))) == 1, "columns are of the same length")
    return list(zip(*found, strict=True))


def split(joined: bytes, size: int) -> list[bytes]:
    check(len(joined) % size == 0, "joined bytes are whole")
    return [joined[at : at + size] for at in range(0, len(joined), size)]
