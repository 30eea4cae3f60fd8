"""Signed commands, written from registry/wire.proto alone: whoever brings one to a node's control
socket changes the rules as the CLI would. Ed25519 from python3-cryptography."""

import base64
import contextlib
import hashlib
import json
import pathlib
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mesh import UnixConnection

PUT, MOVE, REMOVE = 1, 2, 3
NODE, SETTING, VOTERS = 1, 13, 15
DRAINED, REVOKED = 1, 2


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def text(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value if value else b""


def op(kind, document, verb=PUT, state=0, if_rev=None):
    body = number(1, verb) + number(2, 0 if if_rev is None else if_rev + 1) + number(3, state)
    return body + varint((10 + kind) << 3 | 2) + varint(len(document)) + document


def setting(key, value, if_rev=None):
    return op(SETTING, text(1, key) + text(2, value), if_rev=if_rev)


def voters(automatic=0, nodes=()):
    return op(VOTERS, number(1, automatic) + b"".join(text(2, text(1, n)) for n in nodes))


def move_node(node, state):
    return op(NODE, text(1, bytes.fromhex(node)), verb=MOVE, state=state)


def id_of(public):
    return hashlib.blake2b(public, digest_size=32).digest()[:16]


class Admin:
    """An administrator's key, as D/admin.key has it: seed, the root's public key, certificates."""

    def __init__(self, path):
        line = pathlib.Path(path).read_text().splitlines()[1]
        raw = base64.urlsafe_b64decode(line + "=" * (-len(line) % 4))
        self.key = Ed25519PrivateKey.from_private_bytes(raw[:32])
        self.mesh = id_of(raw[32:64])
        self.sequence = 0

    def sign(self, *ops, sequence=None):
        self.sequence = max(self.sequence + 1, time.time_ns() // 1_000_000)
        public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        record = (text(1, self.mesh) + text(2, public) + number(3, sequence or self.sequence) +
                  number(4, time.time_ns() // 1_000_000 + 300_000) +
                  b"".join(text(5, o) for o in ops))
        return text(1, record) + text(2, self.key.sign(b"grapevine command 1\0" + record))


def submit(node, command, timeout_s=20):
    """(HTTP status, the answer)"""
    connection = UnixConnection(node.dir / "control.sock")
    connection.timeout = timeout_s
    with contextlib.closing(connection):
        connection.request("POST", "/mesh/v1/commands", command)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
