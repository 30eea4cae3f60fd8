"""The operator's side of gossip, on three nodes of which two know only the first: its key, rotated
under way; events as they happen; a node that leaves and comes back."""

import json
import os
import pathlib
import re
import select
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import GRAPEVINE, SANITIZERS, Mesh, die_with_parent, run_cli
from runner import equal, eventually, main, note, test
from web import call, get

SETTLED_S = 10  # a new key is only opened with for so long (node/mesh/keys.h)


class Tail:
    """`grapevine events -o json` at a node, read as it comes."""

    def __init__(self, node, *options):
        self.child = subprocess.Popen(
            [GRAPEVINE, "events", "--dir", str(node.dir), "-o", "json", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=die_with_parent,
            env={**SANITIZERS, **os.environ})
        self.seen, self.rest = [], b""

    @classmethod
    def from_now(cls, node):
        """Of what was before it sees enough to know that it is there."""
        tail = cls(node)
        eventually(tail.read, f"events at {node.name}")
        tail.seen = []
        return tail

    def read(self):
        while select.select([self.child.stdout], [], [], 0.05)[0]:
            data = os.read(self.child.stdout.fileno(), 65536)
            if not data:
                break
            *lines, self.rest = (self.rest + data).split(b"\n")
            self.seen += [json.loads(line) for line in lines]
        return self.seen

    def until(self, event, name, timeout_s=15):
        def found():
            return [e for e in self.read() if (e["event"], e["node"]) == (event, name)]

        return eventually(found, f"'{event}' of {name}", timeout_s)[-1]

    def close(self):
        self.child.terminate()
        self.child.communicate(timeout=10)


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (self.node(f"edge-{n}") for n in (1, 2, 3))
        for node in (self.second, self.third):
            node.sets = [f"peers=[127.0.0.1:{self.first.port}]"]
        self.start()

    def key_states(self):
        return [node.json("gossip", "key", "status") for node in self.node_list
                if node.is_running()]

    def await_key(self, version, timeout_s=20):
        eventually(lambda: {s["version"] for s in self.key_states()} == {version},
                   f"key {version} at every node", timeout_s)


def packets(node):
    """{way: how many packets of gossip} as its metrics say"""
    text = get(node.http, "/metrics").body.decode()
    found = re.findall(r'^grapevine_gossip_packets_total\{way="(\w+)"\} (\d+)$', text, re.M)
    assert found, text
    return {way: int(count) for way, count in found}


def speaks_by_datagrams(node):
    """A probe a second each way, and no more over links than repairs need."""
    before = packets(node)
    time.sleep(4)
    after = packets(node)
    grown = {way: after[way] - before[way] for way in after}
    note(f"{node.name} in 4 s: {grown}")
    return grown["datagram_in"] >= 4 and grown["link_out"] < grown["datagram_out"]


@test
def the_founders_key_reaches_all(world):
    world.await_key(1)
    eventually(lambda: world.first.json("gossip", "key", "status")["having"] == 3, "all three")
    state = world.first.json("gossip", "key", "status")
    equal((state["keys"], state["members"]), (1, 3), "keys, members")
    for node in world.node_list:
        eventually(lambda: speaks_by_datagrams(node), "datagrams that are understood", 30)


@test
def keys_are_only_shown_on_the_control_socket(world):
    for path in ("/mesh/v1/gossip-keys", "/mesh/v1/gossip-keys/status", "/mesh/v1/events"):
        assert get(world.first.http, path).status in (401, 404), path
    assert call(world.first.http, "POST", "/mesh/v1/leave", {}).status in (401, 404), "leave"
    equal(world.first.control("/mesh/v1/leave")[0], 405, "GET of an order")


@test
def events_tell_who_joined(world):
    tail = Tail(world.first, "--last", "256")
    for name in ("edge-2", "edge-3"):
        event = tail.until("joined", name)
        equal(event["id"], world.first.nodes()[name]["id"], "id")
        assert abs(event["time_ms"] / 1000 - time.time()) < 120, event
        equal((event["reason"], event["accusers"]), (None, []), "it said so itself")
        assert event["incarnation"] > 0, event
    tail.close()


@test
def the_last_events_can_be_left_out(world):
    tail = Tail(world.first, "--last", "0")
    time.sleep(1)
    equal(tail.read(), [], "events of the past")
    tail.close()
    equal(run_cli("events", "--dir", world.first.dir, "--last", "257", code=None)[0], 2, "257")


@test(limit_s=90)
def a_key_is_rotated_and_nobody_falls_silent(world):
    tails = [Tail.from_now(node) for node in world.node_list]
    said = world.first.cli("gossip", "key", "rotate")
    equal(said, "gossip key 2: 3 of 3 members are known to have it\n", "what it said")
    world.await_key(2)
    equal({s["keys"] for s in world.key_states()}, {2}, "the one before is still understood")
    time.sleep(SETTLED_S + 2)
    for node in world.node_list:
        eventually(lambda: speaks_by_datagrams(node), "datagrams under the new key", 30)
        equal({n["state"] for n in node.nodes().values()}, {"alive"}, node.name)
    for tail in tails:
        equal(tail.read(), [], "events")
        tail.close()


@test
def a_key_can_be_rotated_at_any_node(world):
    admin = world.first.dir / "admin.key"
    state = json.loads(world.third.cli("gossip", "key", "rotate", "--key", admin, "-o", "json"))
    equal((state["version"], state["having"]), (3, 3), "version, members")
    world.await_key(3)


@test
def who_may_not_rotate_is_refused(world):
    code, _, said = world.second.cli("gossip", "key", "rotate", code=None)
    equal(code, 3, said)
    assert "no administrator's key" in said, said
    other = world.folder / "other"
    run_cli("init", "--dir", other, "--name", "other")
    code, _, said = world.first.cli("gossip", "key", "rotate", "--key", other / "admin.key",
                                    code=None)
    equal(code, 3, said)
    code, _, said = run_cli("gossip", "key", "rotate", "--dir", other, code=None)
    equal(code, 4, said)
    world.await_key(3)


@test(limit_s=90)
def who_leaves_is_seen_to_leave(world):
    tail = Tail.from_now(world.first)
    said = world.second.cli("leave")
    assert said.endswith("edge-2 has left and stopped\n"), said
    equal(world.second.child.wait(10), 0, "exit status")
    event = tail.until("left", "edge-2")
    equal((event["reason"], event["accusers"]), (None, []), "it said so itself")
    equal([e["event"] for e in tail.read() if e["node"] == "edge-2"], ["left"], "nothing else")
    for node in (world.first, world.third):
        eventually(lambda: node.nodes()["edge-2"]["state"] == "left", f"left at {node.name}")
    code, _, said = world.second.cli("leave", code=None)
    equal(code, 4, said)
    tail.close()


@test(limit_s=90)
def who_was_away_gets_the_new_key_when_it_is_back(world):
    tail = Tail.from_now(world.first)
    world.first.cli("gossip", "key", "rotate")
    world.first.cli("gossip", "key", "rotate")
    world.second.start()
    tail.until("back", "edge-2")
    world.await_key(5)
    world.wait_linked()
    tail.close()


@test(limit_s=90)
def a_key_outlives_a_restart(world):
    equal(world.third.terminate(), 0, "exit status")
    came = world.third.log().count('"event":"key_ring"')
    world.third.start()
    equal(world.third.json("gossip", "key", "status")["version"], 5, "version")
    world.wait_linked()
    equal(world.third.log().count('"event":"key_ring"'), came, "rings that came over links")


@test
def events_end_when_the_node_stops(world):
    tail = Tail(world.third)
    tail.read()
    equal(world.third.terminate(), 0, "exit status")
    out, said = tail.child.communicate(timeout=10)
    equal(tail.child.returncode, 4, said)
    assert b"the node stopped" in said, said
    world.third.start()
    world.wait_linked()
    world.mark()


if __name__ == "__main__":
    main(World)
