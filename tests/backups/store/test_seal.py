"""What keys and seals promise."""

import base64

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from backups.errors import KeyUnknown, ObjectDamaged
from backups.store.seal import SEAL_OVERHEAD, Fingerprints, Keyring, Seal, key_id_of, parse_key

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def test_a_key_may_be_hex_or_either_base64() -> None:
    key = bytes([251, 255, *range(30)])
    for text in (
        key.hex(),
        key.hex().upper(),
        base64.b64encode(key).decode(),
        base64.urlsafe_b64encode(key).decode().rstrip("="),
        f"  {key.hex()}\n",
    ):
        assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, "ab" * 33, "ä" * 43, "=" * 44])
def test_what_is_no_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


def test_the_first_key_given_is_the_current_one() -> None:
    keyring = Keyring.parse(f"{NEW.hex()}, {OLD.hex()}\n")
    assert keyring.current == key_id_of(NEW)
    assert keyring.master(key_id_of(OLD)) == OLD
    assert key_id_of(OLD) in keyring
    with pytest.raises(ValueError, match="no key"):
        Keyring.parse(" , ")


def test_a_keyring_takes_only_keys_that_belong_to_their_ids() -> None:
    with pytest.raises(ValueError, match="belong"):
        Keyring({key_id_of(OLD): NEW}, key_id_of(OLD))
    with pytest.raises(ValueError, match="belong"):
        Keyring({key_id_of(b"short"): b"short"}, key_id_of(b"short"))
    with pytest.raises(ValueError, match="current"):
        Keyring({key_id_of(OLD): OLD}, key_id_of(NEW))


def test_nothing_shows_a_key() -> None:
    keyring = Keyring.of(NEW, OLD)
    seal = Seal(keyring, "g")
    for thing in (keyring, seal, Fingerprints(keyring, "g", keyring.current)):
        shown = repr(thing) + str(thing)
        assert NEW.hex() not in shown and repr(NEW) not in shown
    with pytest.raises(KeyUnknown) as caught:
        keyring.master(b"12345678")
    assert NEW.hex() not in caught.value.reason


def test_what_was_sealed_is_unsealed_and_looks_different_each_time() -> None:
    seal = Seal(Keyring.of(NEW), "g")
    first, second = seal.seal(b"content", "frame"), seal.seal(b"content", "frame")
    assert first != second
    assert len(first) == len(b"content") + SEAL_OVERHEAD
    assert b"content" not in first
    assert seal.unseal(first, "frame") == seal.unseal(second, "frame") == b"content"


def test_every_bit_of_a_sealed_object_matters() -> None:
    seal = Seal(Keyring.of(NEW), "g")
    sealed = seal.seal(b"content", "frame")
    for place in range(len(sealed)):
        for bit in range(8):
            damaged = bytearray(sealed)
            damaged[place] ^= 1 << bit
            with pytest.raises((ObjectDamaged, KeyUnknown)):
                seal.unseal(bytes(damaged), "frame")
        with pytest.raises(ObjectDamaged):
            seal.unseal(sealed[:place], "frame")


def test_an_object_passes_for_no_other_project_or_purpose() -> None:
    keyring = Keyring.of(NEW)
    sealed = Seal(keyring, "g").seal(b"content", "manifest:1")
    for gid, purpose in (("h", "manifest:1"), ("g", "manifest:2"), ("g", "frame")):
        with pytest.raises(ObjectDamaged):
            Seal(keyring, gid).unseal(sealed, purpose)
    # the border between the two counts too
    with pytest.raises(ObjectDamaged):
        Seal(keyring, "gm").unseal(Seal(keyring, "g").seal(b"x", "mn"), "n")


def test_old_keys_open_what_they_sealed_and_unknown_ones_are_named() -> None:
    sealed = Seal(Keyring.of(OLD), "g").seal(b"content", "frame")
    assert Seal(Keyring.of(NEW, OLD), "g").unseal(sealed, "frame") == b"content"
    with pytest.raises(KeyUnknown, match=key_id_of(OLD).hex()):
        Seal(Keyring.of(NEW), "g").unseal(sealed, "frame")


def test_hashes_differ_by_project_key_and_use() -> None:
    keyring = Keyring.of(NEW, OLD)
    new, old = key_id_of(NEW), key_id_of(OLD)
    assert Fingerprints(keyring, "g", new).block_id(b"x") == Fingerprints(
        Keyring.of(OLD, NEW), "g", new
    ).block_id(b"x")
    made = [Fingerprints(keyring, gid, key) for gid, key in (("g", new), ("h", new), ("g", old))]
    hashes = {one.block_id(b"x") for one in made} | {one.marks(b"x", 1) for one in made}
    for one in made:
        hasher = one.content_hasher()
        hasher.add(one.block_digest(b"x"))
        assert one.block_digest(b"x")[:16] == one.block_id(b"x")
        assert len(hasher.digest()) == 32
        hashes.add(hasher.digest()[:16])
    assert len(hashes) == 9


def test_the_hashes_are_those_that_are_described() -> None:
    """Computed by other means; who has stored versions relies on them."""
    made, gid = Fingerprints(Keyring.of(NEW), "g", key_id_of(NEW)), b"g"

    def key(use: str) -> bytes:
        context = f"savepoint 2026 v1 {use} key of a project"
        return blake3(NEW + gid, derive_key_context=context).digest()

    blocks = [bytes(range(100)), b"second"]
    digests = [blake3(block, key=key("block identifier")).digest() for block in blocks]
    hasher = made.content_hasher()
    assert [made.block_digest(block) for block in blocks] == digests
    assert [made.block_id(block) for block in blocks] == [digest[:16] for digest in digests]
    assert made.block_digests(blocks[0] + blocks[1], 100) == digests
    hasher.add(*digests)
    assert hasher.digest() == blake3(b"".join(digests), key=key("content hash")).digest()
    tags = b""
    for grain in (blocks[0][:40], blocks[0][40:80], blocks[0][80:]):
        gcm = Cipher(algorithms.AES(key("unit mark")), modes.GCM(bytes(12))).encryptor()
        gcm.authenticate_additional_data(grain)
        gcm.finalize()
        tags += gcm.tag[:8]
    assert made.marks(blocks[0], 40) == tags
    assert made.marks(b"", 40) == b""


def test_any_bit_of_a_grain_changes_its_mark_and_no_other() -> None:
    made = Fingerprints(Keyring.of(NEW), "g", key_id_of(NEW))
    block = bytes(range(96))
    before = made.marks(block, 32)
    for bit in range(8 * len(block)):
        changed = bytearray(block)
        changed[bit // 8] ^= 1 << bit % 8
        after = made.marks(bytes(changed), 32)
        differ = [place for place in range(3) if after[place * 8 :][:8] != before[place * 8 :][:8]]
        assert differ == [bit // 256]
    assert made.marks(bytes(32), 32) != made.marks(bytes(33), 33)


def test_a_content_is_known_by_all_its_blocks_and_their_order() -> None:
    made = Fingerprints(Keyring.of(NEW), "g", key_id_of(NEW))

    def digest(*blocks: bytes) -> bytes:
        hasher = made.content_hasher()
        for block in blocks:
            hasher.add(made.block_digest(block))
        return hasher.digest()

    found = {
        digest(*blocks) for blocks in [(), (b"a",), (b"a", b"b"), (b"b", b"a"), (b"a", b"b", b"")]
    }
    assert len(found) == 5
