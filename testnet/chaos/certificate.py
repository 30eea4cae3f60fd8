"""A node's certificate with another end, written from node/trust/wire.proto alone: it and all above
it are signed anew, with the keys of root, administrator and invitation, so that a scenario need not
wait a year. Used by faults.py."""

import base64
import pathlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from commands import number, text

HEADER = "grapevine node certificate 1"
CONTEXT = b"grapevine certificate 1\0"
KEY_SIZE = 32
NOT_BEFORE, NOT_AFTER = 8, 9  # of a Certificate
HOUR_MS = 3600 * 1000


def unbase64(line):
    return base64.urlsafe_b64decode(line + "=" * (-len(line) % 4))


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """[(number, value)] of a message: bytes, or a whole number."""
    found, at = [], 0
    while at < len(data):
        tag, at = read_varint(data, at)
        size, at = read_varint(data, at)
        if tag & 7 == 0:
            found.append((tag >> 3, size))
            continue
        found.append((tag >> 3, data[at:at + size]))
        at += size
    return found


def message(rows):
    return b"".join(number(field, value) if isinstance(value, int) else text(field, value)
                    for field, value in rows)


def seed_of_file(path):
    return unbase64(pathlib.Path(path).read_text().splitlines()[1])[:KEY_SIZE]


def seed_of_token(token):
    """The one-time key of an invitation; a checksum follows the message in its text."""
    raw = unbase64(token.removeprefix("gv1_"))
    assert raw[:2] == b"\x0a\x20" and raw[34:36] == b"\x12\x20", "no token"
    return raw[36:36 + KEY_SIZE]


def end_at(path, seeds, not_after_ms):
    """Writes the certificate anew, valid for the hour before then. `seeds`: of who signs each of
    its chain, the root first."""
    raw = unbase64(pathlib.Path(path).read_text().splitlines()[1])
    rows = [dict(fields(signed))[1] for _, signed in fields(raw[KEY_SIZE:])]
    assert len(rows) == len(seeds), f"{len(rows)} certificates in {path}"
    chain = b""
    for at, (record, seed) in enumerate(zip(rows, seeds)):
        changes = {NOT_BEFORE: not_after_ms - HOUR_MS}
        if at + 1 == len(rows):
            changes[NOT_AFTER] = not_after_ms
        record = message((field, changes.get(field, value)) for field, value in fields(record))
        signature = Ed25519PrivateKey.from_private_bytes(seed).sign(CONTEXT + record)
        chain += message([(1, message([(1, record), (2, signature)]))])
    line = base64.urlsafe_b64encode(raw[:KEY_SIZE] + chain).decode().rstrip("=")
    pathlib.Path(path).write_text(f"{HEADER}\n{line}\n")
