"""A node's side of a link, written from node/mesh/README.md and node/trust/README.md alone: frames,
Noise messages, certificates, records. It shares no code with the program: Noise comes from Debian's
python3-dissononce, Ed25519 from python3-cryptography. Called by tests/e2e/test_noise_interop.py,
which also says what no node would say: nothing of ours is checked before it is sent."""

import base64
import hashlib
import os
import pathlib
import socket
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.hash.blake2b import Blake2bHash
from dissononce.processing.handshakepatterns.interactive.XX import XXHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState

LABEL = b"grapevine link 1\0"
CERTIFICATE_LABEL = b"grapevine certificate 1\0"
DIALLER, ACCEPTOR = 1, 2
ADMIN, INVITATION, NODE = 1, 2, 3
BY_DIALLER, BY_ACCEPTOR, PING, PONG, REKEY, CLOSE = range(1, 7)
REASONS = dict(enumerate("draining duplicate_link protocol wrong_mesh bad_signature cert_expired "
                         "cert_scope clock_skew self_link limit timeout invalid eof "
                         "internal link_lost idle".split(), 1))
MINUTE_MS = 60_000
TIMEOUT_S = 5


def now_ms():
    return time.time_ns() // 1_000_000


def id_of(public):
    return hashlib.blake2b(public, digest_size=32).digest()[:16]


# --- protobuf, as little as certificates need


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def encode(fields):
    """[(number, int or bytes or str)] in the canonical form: ascending, defaults left out."""
    out = b""
    for number, value in sorted(fields, key=lambda field: field[0]):
        if isinstance(value, int):
            out += varint(number << 3) + varint(value) if value else b""
        elif value:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def take_varint(data):
    value = shift = 0
    for at, byte in enumerate(data):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, data[at + 1 :]
    raise ValueError("a varint without an end")


def decode(data):
    fields, rest = [], data
    while rest:
        key, rest = take_varint(rest)
        value, rest = take_varint(rest)
        if key & 7 == 2:
            assert value <= len(rest), "a field longer than its message"
            value, rest = rest[:value], rest[value:]
        else:
            assert key & 7 == 0, f"wire type {key & 7}"
        fields.append((key >> 3, value))
    assert encode(fields) == data, "not in the canonical form"
    return fields


# --- certificates

FIELDS = ("kind", "mesh", "subject", "issuer", "name", "tier", "region", "not_before_ms",
          "not_after_ms", "uses", "serial", "join_until_ms")


def certificates_of(chain):
    """[(record, signature, {field: value})], the admin's first."""
    found = []
    for number, signed in decode(chain):
        (one, record), (two, signature) = decode(signed)
        assert (number, one, two) == (1, 1, 2), "unknown fields"
        empty = dict.fromkeys(FIELDS, 0) | {"name": b"", "region": b""}
        found.append((record, signature, empty | {FIELDS[n - 1]: v for n, v in decode(record)}))
    return found


def check_chain(chain, root):
    """The node's certificate, after every check that the documents ask for."""
    signer, above, certificates = root, None, certificates_of(chain)
    kinds = [certificate["kind"] for _, _, certificate in certificates]
    assert kinds == [ADMIN, INVITATION, NODE], f"kinds in a chain: {kinds}"
    for record, signature, own in certificates:
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, CERTIFICATE_LABEL + record)
        assert own["issuer"] == signer and own["mesh"] == id_of(root), own
        assert own["not_before_ms"] <= now_ms() <= own["not_after_ms"], own
        if above:
            assert not above["tier"] or own["tier"] == above["tier"], (above, own)
            assert not above["region"] or own["region"] == above["region"], (above, own)
            assert own["not_before_ms"] >= above["not_before_ms"], (above, own)
            assert own["not_after_ms"] <= above["not_after_ms"], (above, own)
        signer, above = own["subject"], own
    return above


class Holder:
    """A signing key, the root that it trusts, the chain from there to the key (of a root: none)."""

    def __init__(self, seed=None, root=None, chain=b""):
        self.key = Ed25519PrivateKey.from_private_bytes(seed or os.urandom(32))
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.root, self.chain = root or self.public, chain
        self.id, self.mesh = id_of(self.public), id_of(self.root)

    @staticmethod
    def read_file(folder, name):
        header, text = (pathlib.Path(folder) / name).read_text().splitlines()
        return header, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    @classmethod
    def read(cls, folder):
        """The node whose directory this is."""
        header, seed = cls.read_file(folder, "node.key")
        assert header == "grapevine node key 1", header
        header, place = cls.read_file(folder, "node.cert")
        assert header == "grapevine node certificate 1", header
        return cls(seed, place[:32], place[32:])

    @classmethod
    def read_root(cls, folder):
        header, seed = cls.read_file(folder, "root.key")
        assert header == "grapevine root key 1", header
        return cls(seed)

    def issue(self, kind, unknown=b"", **fields):
        """A new key with a certificate of it, signed by this one."""
        made = Holder(root=self.root)
        margin_ms = (NODE + 1 - kind) * 60 * MINUTE_MS  # each within the one above
        record = {"kind": kind, "mesh": self.mesh, "subject": made.public, "issuer": self.public,
                  "name": "" if kind == INVITATION else "python-2", "region": "eu-west", "tier": 1,
                  "not_before_ms": now_ms() - margin_ms, "not_after_ms": now_ms() + margin_ms,
                  "uses": int(kind == INVITATION), "serial": os.urandom(16)}
        record = encode([(FIELDS.index(name) + 1, value)
                         for name, value in (record | fields).items()]) + unknown
        signature = self.key.sign(CERTIFICATE_LABEL + record)
        made.chain = self.chain + encode([(1, encode([(1, record), (2, signature)]))])
        return made

    def hello(self, static_public, role, wall_ms=None):
        signature = self.key.sign(LABEL + static_public + bytes([role]))
        wall_ms = now_ms() if wall_ms is None else wall_ms
        return wall_ms.to_bytes(8, "big") + signature + self.chain


# --- the link


class Refused(Exception):
    """The other side's reason for ending the link: under the session's keys, or before there were
    any."""

    def __init__(self, number, is_sealed):
        super().__init__(f"{REASONS.get(number, number)}, {'sealed' if is_sealed else 'in clear'}")
        self.reason, self.is_sealed = REASONS.get(number, number), is_sealed


def new_static():
    return X25519DH().generate_keypair()


class Link:
    def __init__(self, connection, holder, role, static=None):
        self.socket, self.holder, self.role = connection, holder, role
        self.static = static or new_static()
        self.sent, self.pings = [], 0  # the messages written so far; pings that came
        self.send_cipher = self.receive_cipher = None
        connection.settimeout(TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host, port = connection.getsockname()
        self.address = f"{host}:{port}"  # by which the node's log knows this link
        self.noise = HandshakeState(
            SymmetricState(CipherState(ChaChaPolyCipher()), Blake2bHash()), X25519DH())
        self.noise.initialize(XXHandshakePattern(), role == DIALLER, LABEL + holder.mesh,
                              s=self.static)

    @classmethod
    def dial(cls, port, holder, static=None):
        connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        return cls(connection, holder, DIALLER, static)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # --- frames

    def send_frame(self, data):
        self.socket.sendall(len(data).to_bytes(2, "big") + data)

    def read_exactly(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError("the node closed the connection")
            data += piece
        return data

    def read_frame(self):
        """A frame; Refused for one that is a refusal."""
        frame = self.read_exactly(int.from_bytes(self.read_exactly(2), "big"))
        if len(frame) == 1:
            raise Refused(frame[0], is_sealed=False)
        return frame

    # --- the handshake

    def message(self, payload):
        """The next Noise message of ours; not sent."""
        message = bytearray()
        self.take_keys(self.noise.write_message(payload, message))
        self.sent.append(bytes(message))
        return bytes(message)

    def read_message(self, message):
        """The payload of a Noise message of theirs."""
        payload = bytearray()
        self.take_keys(self.noise.read_message(message, payload))
        return bytes(payload)

    def take_keys(self, pair):
        if pair:
            forth, back = pair
            dials = self.role == DIALLER
            self.send_cipher, self.receive_cipher = (forth, back) if dials else (back, forth)

    def hello(self, **options):
        return self.holder.hello(self.static.public.data, self.role, **options)

    def check_hello(self, hello):
        """Who the other side is: its node certificate."""
        theirs = ACCEPTOR if self.role == DIALLER else DIALLER
        certificate = check_chain(hello[72:], self.holder.root)
        Ed25519PublicKey.from_public_bytes(certificate["subject"]).verify(
            hello[8:72], LABEL + self.noise.rs.data + bytes([theirs]))
        ahead_ms = int.from_bytes(hello[:8], "big") - now_ms()
        assert abs(ahead_ms) < 5 * MINUTE_MS, f"its clock is {ahead_ms} ms ahead"
        return certificate

    def start(self):
        """Dialler: messages 1 and 2; the acceptor's certificate."""
        self.send_frame(self.message(self.holder.mesh))
        return self.check_hello(self.read_message(self.read_frame()))

    def finish(self, hello=None):
        """Dialler: message 3."""
        self.send_frame(self.message(self.hello() if hello is None else hello))

    def answer(self):
        """Acceptor: messages 1 to 3; the dialler's certificate."""
        mesh = self.read_message(self.read_frame())
        assert mesh == self.holder.mesh, "message 1 names another mesh"
        self.send_frame(self.message(self.hello()))
        return self.check_hello(self.read_message(self.read_frame()))

    # --- records

    def seal(self, kind, body=b""):
        """A record's frame; not sent."""
        return self.send_cipher.encrypt_with_ad(b"", bytes([kind]) + body)

    def send(self, kind, body=b""):
        self.send_frame(self.seal(kind, body))

    def receive(self):
        """(type, body) of the next record. Pings are answered; a close is Refused."""
        plain = self.receive_cipher.decrypt_with_ad(b"", self.read_frame())
        kind, body = plain[0], plain[1:]
        if kind == PING:
            self.pings += 1
            self.send(PONG, body)
        if kind == CLOSE:
            raise Refused(body[0], is_sealed=True)
        return kind, body

    def receive_until(self, kind):
        while True:
            found, body = self.receive()
            if found == kind:
                return body

    def ping(self):
        """There and back."""
        body = os.urandom(8)
        self.send(PING, body)
        found = self.receive_until(PONG)
        assert found == body, f"a pong of {found.hex()} for a ping of {body.hex()}"

    def rekey(self):
        """Says so, and changes our key. Noise's section 4.2 takes the first 32 bytes of what is
        sealed and 5.1 lets the nonce count on; dissononce's own rekey() forgets both."""
        self.send(REKEY)
        old = self.send_cipher
        made = CipherState(old.cipher)
        made.initialize_key(old.cipher.rekey(old._key)[:32])
        made.set_nonce(old._nonce)
        self.send_cipher = made
        return old

    def last_words(self):
        """(reason, was it sealed) with which the node ends the link; it must then close."""
        try:
            while self.receive_cipher:
                self.receive()
            self.read_frame()
            raise AssertionError("no refusal, but a message of the handshake")
        except Refused as refused:
            words = refused.reason, refused.is_sealed
        assert self.socket.recv(1) == b"", "something follows the last words"
        return words
