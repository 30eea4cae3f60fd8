#!/usr/bin/python3
"""The link between nodes, spoken by another implementation: tests/support/noise_peer.py, which has
its Noise from Debian's python3-dissononce, is a node of a real mesh in both roles of the handshake,
exchanges records, and is refused whenever it says something that a node may not say. Debian's own
Python runs this file, since only it sees that package."""

import base64
import contextlib
import json
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
try:
    import dissononce
    from dissononce.exceptions.decrypt import DecryptFailedException
except ImportError as why:
    print(f"skipped: no second implementation of Noise here ({why}): apt-get install "
          "python3-dissononce python3-cryptography, or scripts/setup --test")
    sys.exit(77)

from commands import submit
from mesh import Mesh, run_cli
from noise_peer import (ACCEPTOR, ADMIN, BY_ACCEPTOR, BY_DIALLER, CLOSE, DIALLER, INVITATION,
                        MINUTE_MS, NODE, PING, PONG, TIMEOUT_S, Holder, Link, new_static, now_ms)
from runner import equal, eventually, main, note, test
from web import get

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000 04 00 00000000")
SETTINGS_ACK = bytes.fromhex("000000 04 01 00000000")
LOGS = ["log.level=debug", "log.format=json"]  # below debug, refusals of one second share a line
REFUSED = "link_handshakes_refused_total"


class World(Mesh):
    def __init__(self):
        super().__init__()
        note(f"dissononce {dissononce.__file__}, Python {sys.version.split()[0]}")
        self.acceptor = self.node("acceptor", sets=LOGS)
        self.dialler = self.node("dialler", sets=LOGS)
        folder = self.folder / "python-1"
        run_cli("join", self.acceptor.invite(), "--dir", folder, "--name", "python-1",
                "--tier", "edge", "--region", "eu-west")
        self.member = Holder.read(folder)
        self.root = Holder.read_root(self.acceptor.dir)
        self.static = new_static()  # for several links that are to be of one process
        self.acceptor.start()
        self.admit(folder)
        self.mark()

    def admit(self, folder):
        """What `run` would hand in for it."""
        line = (folder / "admission").read_text().splitlines()[1]
        command = base64.urlsafe_b64decode(line + "=" * (-len(line) % 4))
        status, answer = submit(self.acceptor, command)
        equal((status, answer["outcome"]), (200, "committed"), str(answer))

    def dial(self, holder=None, static=None):
        return Link.dial(self.acceptor.port, holder or self.member, static)

    @contextlib.contextmanager
    def linked(self, holder=None, static=None):
        """A link that we dialled, as far as its first record."""
        with self.dial(holder, static) as link:
            link.start()
            link.finish()
            link.receive()
            yield link

    @contextlib.contextmanager
    def dialled(self, holder=None):
        """A link that the node dialled; nothing is said yet. It dials once: nobody listens then.
        It has the acceptor for a peer too, whose facts make it ready at once."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(TIMEOUT_S)
            port = listener.getsockname()[1]
            peers = f"peers=[127.0.0.1:{self.acceptor.port}, 127.0.0.1:{port}]"
            self.dialler.sets = [*LOGS, peers]
            self.dialler.start()
            connection = listener.accept()[0]
        try:
            with Link(connection, holder or self.member, ACCEPTOR) as link:
                yield link
        finally:
            code = self.dialler.terminate()
            self.dialler.child = None
        equal(code, 0, f"exit status of the dialler\n{self.dialler.tail()}")


# --- what a node tells of its links


def counter(node, name):
    text = get(node.http, "/metrics").body.decode()
    return int(float(re.search(rf"^grapevine_{name} (\S+)$", text, re.M)[1]))


def state_of_python(node):
    """We are no member of gossip: without a link there is nothing to list."""
    return node.nodes().get("python-1", {}).get("state", "gone")


def lines_of(node, event, start=0, **fields):
    found = [json.loads(line) for line in node.log()[start:].splitlines() if line[:1] == "{"]
    return [line for line in found if line["event"] == event
            and all(line.get(name) == value for name, value in fields.items())]


@contextlib.contextmanager
def refusal(node, link, reason, sealed, what, by="us"):
    """In it something is said that the node refuses: it says why, closes, counts and logs it."""
    before, start = counter(node, REFUSED), len(node.log())
    yield
    if by == "us":
        equal(link.last_words(), (reason, sealed), f"{what}: (reason, was it sealed)")
    eventually(lambda: lines_of(node, "link_refused", start, addr=link.address, reason=reason,
                                by=by), f"{what}: link_refused in the log, for {reason}, by {by}")
    equal(counter(node, REFUSED) - before, 1, f"{what}: {REFUSED}")


@contextlib.contextmanager
def cut(node, link, reason, what):
    """In it a record is sent after which the node ends the link; the record is counted as bad."""
    before, start = counter(node, "link_records_bad_total"), len(node.log())
    yield
    equal(link.last_words(), (reason, True), f"{what}: (reason, was it sealed)")
    eventually(lambda: lines_of(node, "link_down", start, addr=link.address, reason=reason),
               f"{what}: link_down in the log, for {reason}")
    equal(counter(node, "link_records_bad_total") - before, 1, f"{what}: link_records_bad_total")


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at:][1:]


# --- the node accepts


@test
def a_node_accepts_a_link_from_another_implementation(world):
    with world.dial() as link:
        certificate = link.start()
        equal(certificate["name"], b"acceptor", "whose certificate came in message 2")
        equal(len(link.sent[0]), 48, "bytes of message 1")
        link.finish()
        bodies = {BY_DIALLER: b"", BY_ACCEPTOR: b""}
        while len(bodies[BY_ACCEPTOR]) < len(PREFACE) or len(bodies[BY_DIALLER]) < 9:
            kind, body = link.receive()
            if kind in bodies:
                bodies[kind] += body
        assert bodies[BY_ACCEPTOR].startswith(PREFACE), bodies
        equal(bodies[BY_DIALLER][3:4], SETTINGS[3:4], "type of the first frame of its server")
        link.ping()
        equal(state_of_python(world.acceptor), "alive", "the node's view")
        assert link.pings, "the node sent no ping"
    eventually(lambda: state_of_python(world.acceptor) == "gone", "the node sees us gone")


@test
def messages_may_come_in_pieces_or_together(world):
    def dribble(link, data):
        for byte in len(data).to_bytes(2, "big") + data:
            link.socket.sendall(bytes([byte]))

    with world.dial() as link:
        dribble(link, link.message(link.holder.mesh))
        link.check_hello(link.read_message(link.read_frame()))
        third = link.message(link.hello())
        dribble(link, third)
        dribble(link, link.seal(PING, b"12345678"))
        equal(link.receive_until(PONG), b"12345678", "pong")
    with world.dial() as link:
        link.start()
        frames = [link.message(link.hello()), link.seal(PING, b"87654321")]
        link.socket.sendall(b"".join(len(f).to_bytes(2, "big") + f for f in frames))
        equal(link.receive_until(PONG), b"87654321", "pong to a ping on message 3's heels")


@test
def both_http_sessions_run_in_records(world):
    with world.linked() as link:
        link.send(BY_DIALLER, PREFACE + SETTINGS)
        seen = b""
        while SETTINGS_ACK not in seen:
            seen += link.receive_until(BY_DIALLER)
        # A frame as long as frames can be, full of HTTP/2 frames of a type that nobody knows.
        sizes = [16384, 16384, 16384, 65535 - 16 - 1 - 4 * 9 - 3 * 16384]
        unknown = b"".join(size.to_bytes(3, "big") + b"\xfa" + bytes(5 + size) for size in sizes)
        frame = link.seal(BY_DIALLER, unknown)
        equal(len(frame), 65535, "bytes of the longest frame")
        link.send_frame(frame)
        link.ping()
        equal(state_of_python(world.acceptor), "alive", "the node's view")


@test
def pings_of_the_node_are_answered_in_time(world):
    with world.linked() as link:
        while link.pings < 4:  # one each 500 ms; unanswered ones would not be followed by others
            link.receive()
        rtt_ms = world.acceptor.nodes()["python-1"]["rtt_ms"]
        assert rtt_ms is not None and 0 < rtt_ms < 3000, f"round trip: {rtt_ms} ms"
        note(f"the node measures a round trip of {rtt_ms} ms")


@test
def records_after_a_rekey_are_under_the_next_key(world):
    with world.linked() as link:
        for _ in range(3):
            link.rekey()
            link.ping()
        old = link.rekey()
        link.send_cipher = old
        with cut(world.acceptor, link, "bad_signature", "the old key after a rekey"):
            link.send(PING, bytes(8))
    with world.linked() as link:
        link.ping()
        link.rekey()
        link.send_cipher.set_nonce(0)
        with cut(world.acceptor, link, "bad_signature", "the nonce begun anew after a rekey"):
            link.send(PING, bytes(8))


@test
def a_record_that_does_not_open_or_fit_ends_the_link(world):
    def altered(at):
        return lambda link: link.send_frame(flip(link.seal(PING, bytes(8)), at))

    def replayed(link):
        frame = link.seal(PING, bytes(8))
        link.send_frame(frame)
        link.send_frame(frame)

    def left_out(link):
        link.seal(PING, bytes(8))
        link.send(PING, bytes(8))

    def from_another_link(link):
        with world.linked(static=world.static) as other:
            frame = other.seal(PING, bytes(8))
        link.send_frame(frame)

    for what, reason, say in (
            ("a wrong tag", "bad_signature", altered(-1)),
            ("an altered type", "bad_signature", altered(0)),
            ("a record twice", "bad_signature", replayed),
            ("a record left out", "bad_signature", left_out),
            ("a record of another link", "bad_signature", from_another_link),
            ("no plaintext", "protocol", lambda link: link.send_frame(bytes(16))),
            ("a frame of nothing", "protocol", lambda link: link.send_frame(b"")),
            ("type 0", "protocol", lambda link: link.send(0, bytes(8))),
            ("type 7", "protocol", lambda link: link.send(7, b"")),
            ("no bytes of HTTP/2", "protocol", lambda link: link.send(BY_DIALLER)),
            ("a ping of 7 bytes", "protocol", lambda link: link.send(PING, bytes(7))),
            ("a close without a reason", "protocol", lambda link: link.send(CLOSE))):
        with world.linked(static=world.static) as link:
            with cut(world.acceptor, link, reason, what):
                say(link)
    equal(state_of_python(world.acceptor), "gone", "the node's view")


@test
def a_close_is_believed(world):
    for number, reason in ((1, "draining"), (14, "internal"), (200, "protocol")):
        start = len(world.acceptor.log())
        with world.linked() as link:
            link.send(CLOSE, bytes([number]))
            eventually(lambda: lines_of(world.acceptor, "link_down", start, addr=link.address,
                                        reason=reason), f"link_down for {reason}")
        eventually(lambda: state_of_python(world.acceptor) == "gone", f"gone after {reason}")


@test
def a_new_process_of_a_peer_ends_the_links_of_the_old_one(world):
    with world.linked() as old:
        with world.linked() as new:
            equal(old.last_words()[1], True, "the old link's last record is sealed")
            new.ping()
            equal(state_of_python(world.acceptor), "alive", "the node's view")


@test
def the_static_key_is_made_anew_by_each_process(world):
    keys = []
    for restart in (False, False, True):
        if restart:
            equal(world.acceptor.terminate(), 0, "exit status")
            world.acceptor.start()
            world.mark()
        with world.linked() as link:
            keys.append(link.noise.rs.data)
    assert keys[0] == keys[1] != keys[2], [key.hex() for key in keys]


# --- the node dials


@test
def a_node_dials_another_implementation(world):
    with world.dialled() as link:
        certificate = link.answer()
        equal(certificate["name"], b"dialler", "whose certificate came in message 3")
        equal(state_of_python(world.dialler), "gone", "up before the acceptor's first record")
        link.ping()
        equal(state_of_python(world.dialler), "alive", "the node's view")
        link.send(BY_ACCEPTOR, PREFACE + SETTINGS)
        seen = b""
        while SETTINGS_ACK not in seen:
            seen += link.receive_until(BY_ACCEPTOR)
        link.rekey()
        link.ping()
        with cut(world.dialler, link, "bad_signature", "a wrong tag"):
            link.send_frame(flip(link.seal(PING, bytes(8)), -1))


@test
def a_node_that_stops_says_so_in_its_last_record(world):
    with world.dialled() as link:
        link.answer()
        link.ping()
        world.dialler.child.terminate()
        equal(link.last_words(), ("draining", True), "last words of a node that stops")
        world.dialler.child.wait(TIMEOUT_S)


# --- what is refused, by either side


def chains(world, role):
    """(what, reason, who shows himself) of chains that no node may take."""
    ago, ahead = now_ms() - 6 * MINUTE_MS, now_ms() + 6 * MINUTE_MS
    admin = world.root.issue(ADMIN)
    inviter = admin.issue(INVITATION)
    stranger, pretender = Holder(), Holder()
    of_us = {"mesh": world.root.id}
    pretended = pretender.issue(ADMIN, **of_us).issue(INVITATION, **of_us).issue(NODE, **of_us)
    yield "an expired chain", "cert_expired", inviter.issue(NODE, not_after_ms=ago)
    yield "a chain not yet valid", "cert_expired", inviter.issue(NODE, not_before_ms=ahead)
    yield "another mesh's chain", "wrong_mesh", stranger.issue(ADMIN).issue(INVITATION).issue(NODE)
    yield "another root's chain that names our mesh", "bad_signature", pretended
    yield "an inviter", "cert_scope", inviter
    yield "an administrator", "cert_scope", admin
    yield "a tier beyond the inviter's", "cert_scope", inviter.issue(NODE, tier=3)
    yield "a region beyond the inviter's", "cert_scope", inviter.issue(NODE, region="us-east")
    yield "a chain without an inviter", "cert_scope", admin.issue(NODE)
    yield "an unknown field under a good signature", "invalid", inviter.issue(NODE, b"\x68\x01")


def shown(link, holder, **options):
    return holder.hello(link.static.public.data, link.role, **options)


def bad_hellos(world, role):
    """(what, reason, hello of a link) of hellos that no node may take."""
    member, other_role = world.member, ACCEPTOR if role == DIALLER else DIALLER
    other = world.root.issue(ADMIN).issue(INVITATION).issue(NODE)
    for what, reason, holder in chains(world, role):
        yield what, reason, lambda link, holder=holder: shown(link, holder)
    yield ("signed for another static key", "bad_signature",
           lambda link: member.hello(new_static().public.data, role))
    yield ("signed for the other role", "bad_signature",
           lambda link: member.hello(link.static.public.data, other_role))
    yield ("signed by another node of the mesh", "bad_signature",
           lambda link: shown(link, other)[:72] + member.chain)
    yield ("an altered signature", "bad_signature", lambda link: flip(shown(link, member), 40))
    yield ("an altered certificate", "bad_signature", lambda link: flip(shown(link, member), -1))
    for minutes in (-6, 6):
        yield (f"a clock {minutes} minutes off", "clock_skew",
               lambda link, minutes=minutes: shown(link, member,
                                                   wall_ms=now_ms() + minutes * MINUTE_MS))
    yield "a hello of 71 bytes", "invalid", lambda link: shown(link, member)[:71]
    yield "no chain", "invalid", lambda link: shown(link, member)[:72]
    yield "half a chain", "invalid", lambda link: shown(link, member)[:-100]


@test
def a_node_that_accepts_refuses_whoever_is_not_of_its_mesh(world):
    for what, reason, hello in bad_hellos(world, DIALLER):
        with world.dial() as link:
            link.start()
            with refusal(world.acceptor, link, reason, True, what):
                link.finish(hello(link))


@test
def a_node_that_dials_refuses_whoever_is_not_of_its_mesh(world):
    wanted = ("an expired chain", "another mesh's chain", "signed for another static key",
              "signed for the other role", "a clock 6 minutes off", "an inviter")
    for what, reason, hello in bad_hellos(world, ACCEPTOR):
        if what not in wanted:
            continue
        with world.dialled() as link:
            link.read_message(link.read_frame())
            with refusal(world.dialler, link, reason, False, what):
                link.send_frame(link.message(hello(link)))


@test
def a_certificate_is_good_for_as_long_as_clocks_may_differ(world):
    inviter = world.root.issue(ADMIN).issue(INVITATION)
    for holder in (inviter.issue(NODE, not_after_ms=now_ms() - 4 * MINUTE_MS),
                   inviter.issue(NODE, not_before_ms=now_ms() + 4 * MINUTE_MS)):
        with world.linked(holder) as link:
            link.ping()


@test
def a_node_does_not_link_to_itself(world):
    """Nor to a copy of its directory on another machine, which is what this looks like."""
    start = len(world.acceptor.log())
    with world.dial(Holder.read(world.acceptor.dir)) as link:
        link.start()
        link.finish()
        equal(link.last_words(), ("self_link", True), "last words")
        equal(lines_of(world.acceptor, "link_up", start, addr=link.address), [], "links")


@test
def a_first_message_out_of_shape_is_refused(world):
    for what, reason, change in (
            ("another mesh's id", "wrong_mesh", lambda m: flip(m, 40)),
            ("nothing", "invalid", lambda m: b""),
            ("one byte", "invalid", lambda m: m[:1]),
            ("half a key", "invalid", lambda m: m[:31]),
            ("half an id", "protocol", lambda m: m[:40]),
            ("a byte too many", "protocol", lambda m: m + b"x"),
            ("as long as can be", "protocol", lambda m: m + bytes(65535 - 48)),
            ("a key of zeros", "invalid", lambda m: bytes(32) + m[32:])):
        with world.dial() as link:
            with refusal(world.acceptor, link, reason, False, what):
                link.send_frame(change(link.message(link.holder.mesh)))


@test
def an_altered_byte_of_the_handshake_is_noticed(world):
    for what, at in (("the static key", 0), ("its tag", 47), ("the hello", 48 + 8),
                     ("the last tag", -1)):
        with world.dial() as link:
            link.start()
            with refusal(world.acceptor, link, "bad_signature", False, f"message 3, {what}"):
                link.send_frame(flip(link.message(link.hello()), at))
    with world.dial() as link:  # our key altered on the way: we notice, in what it answers
        link.send_frame(flip(link.message(link.holder.mesh), 0))
        answer = link.read_frame()
        try:
            link.read_message(answer)
            raise AssertionError("message 2 opens, although message 1 was altered")
        except DecryptFailedException:
            pass
    for what, at in (("the ephemeral key", 0), ("the static key", 32), ("the last tag", -1)):
        with world.dialled() as link:
            link.read_message(link.read_frame())
            with refusal(world.dialler, link, "bad_signature", False, f"message 2, {what}"):
                link.send_frame(flip(link.message(link.hello()), at))


@test
def a_handshake_of_an_earlier_link_cannot_be_replayed(world):
    with world.linked() as link:
        first, third = link.sent
    with world.dial() as link:
        link.send_frame(first)
        assert len(link.read_frame()) > 96, "message 2"
        with refusal(world.acceptor, link, "bad_signature", False, "message 3 of an earlier link"):
            link.send_frame(third)
    with world.dialled() as link:
        link.answer()
        second = link.sent[0]
        link.ping()
    with world.dialled() as link:
        mirror = link.read_frame()
        with refusal(world.dialler, link, "bad_signature", False, "message 2 of an earlier link"):
            link.send_frame(second)
    with world.dialled() as link:
        mirror = link.read_frame()
        with refusal(world.dialler, link, "invalid", False, "its own message 1"):
            link.send_frame(mirror)


@test
def a_refusal_in_clear_is_logged_as_the_other_sides_word(world):
    with world.dialled() as link:
        with refusal(world.dialler, link, "limit", False, "our refusal", by="peer"):
            link.read_frame()
            link.send_frame(bytes([10]))


@test
def whatever_came_before_the_node_still_links(world):
    with world.linked() as link:
        link.ping()
    note(f"{counter(world.acceptor, REFUSED)} handshakes refused by the acceptor")


if __name__ == "__main__":
    main(World)
