#!/usr/bin/python3
"""The testnet's networks do what their topology files say: delay, loss, doubling, order, rate, NAT,
cuts of one way and of both, a silent node, changes while it runs. Datagrams are counted and only
minimum delays asserted, since machines stall. Needs root."""

import contextlib
import pathlib
import socket
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "testnet/wan")]
import link
from netns import why_not
from network import Network
from runner import SKIPPED, equal, main, note, test
from shape import Shape
from topology import Bad, Topology

PORT = 7300
FILE = """
seed: 5
sites:
  shop: {net: 198.18.1.0/24, nat: true}
  east: {net: 198.18.2.0/24}
  west: {net: 198.18.3.0/24}
cables:
  - {between: [shop, east], delay: 5ms}
  - {between: [east, west], delay: 30ms, jitter: 2ms}
nodes:
  - {name: a, site: shop}
  - {name: b, site: east}
  - {name: b2, site: east}
  - {name: c, site: west}
"""
HALF_S = 0.03  # one way between east and west


class World:
    def __init__(self):
        import yaml
        self.network = Network(Topology(yaml.safe_load(FILE)))
        self.sockets = {name: self.socket_in(name) for name in self.network.hosts}

    def socket_in(self, name):
        with self.network.hosts[name].entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("0.0.0.0", PORT))
        return sock

    def send(self, source, target, count=1, gap_s=0.0):
        """What of `count` numbered datagrams arrived, in order, and from where the last came."""
        address = self.network.hosts[target].address
        sender, receiver = self.sockets[source], self.sockets[target]
        self.drain(receiver)
        for number in range(count):
            sender.sendto(b"%d" % number, (address, PORT))
            time.sleep(gap_s)
        return self.arrived(receiver)

    def arrived(self, receiver, patience_s=0.6):
        found, self.came_from = [], None
        receiver.settimeout(patience_s)
        with contextlib.suppress(TimeoutError):
            while True:
                text, self.came_from = receiver.recvfrom(100)
                found.append(int(text))
        return found

    def drain(self, receiver):
        receiver.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while receiver.recv(100):
                pass

    def cable(self):
        return self.network.cable("east", "west")

    @contextlib.contextmanager
    def shaped(self, way="both", **words):
        self.network.reshape(self.cable(), words, way)
        try:
            yield
        finally:
            self.network.heal(self.cable())

    def show(self):
        print(self.network.counts())

    def close(self):
        for sock in self.sockets.values():
            sock.close()
        equal(self.network.close(), {}, "processes left in namespaces")


@test
def what_is_sent_arrives_in_order_and_not_before_its_time(world):
    note(f"by {world.network.kind}")
    began = time.monotonic()
    equal(world.send("b", "c", 20), list(range(20)), "arrived")
    assert time.monotonic() - began > HALF_S, "sooner than the cable is long"
    equal(world.send("b", "b2", 5), list(range(5)), "beside each other")


@test
def who_is_behind_nat_is_heard_and_cannot_be_called(world):
    equal(world.send("a", "c", 3), [0, 1, 2], "from behind NAT, over two cables")
    assert world.came_from[0] != world.network.hosts["a"].address, "its own address was seen"
    world.drain(world.sockets["a"])
    world.sockets["c"].sendto(b"7", world.came_from)
    equal(world.arrived(world.sockets["a"]), [7], "the answer")
    with contextlib.suppress(OSError):  # no route is an answer too
        equal(world.send("c", "a", 3), [], "called from outside")
        equal(world.send("b", "a", 3), [], "called from the next site")


@test
def a_cut_may_be_of_one_way_and_heals(world):
    world.network.cut(world.cable(), "there")
    equal(world.send("b", "c", 3), [], "there")
    equal(world.send("c", "b", 3), [0, 1, 2], "back")
    equal(world.send("b", "b2", 3), [0, 1, 2], "beside each other")
    world.network.cut(world.cable())
    equal(world.send("c", "b", 3), [], "back, now cut too")
    world.network.heal(world.cable())
    equal(world.send("b", "c", 3), [0, 1, 2], "healed")


@test
def a_silent_node_is_silent_as_it_was_told(world):
    world.network.silence("c", "mute")
    equal((world.send("c", "b", 2), world.send("b", "c", 2)), ([], [0, 1]), "mute")
    world.network.silence("c", "deaf")
    equal((world.send("c", "b", 2), world.send("b", "c", 2)), ([0, 1], []), "deaf")
    world.network.silence("b2")
    equal((world.send("b2", "b", 2), world.send("b", "b2", 2)), ([], []), "both")
    for name in ("c", "b2"):
        world.network.speak(name)
    equal(world.send("b", "c", 2) + world.send("b2", "b", 2), [0, 1, 0, 1], "speaking again")


@test
def frames_are_lost_doubled_and_overtaken_as_often_as_was_asked(world):
    with world.shaped(loss="50%"):
        count = len(world.send("b", "c", 400, 0.0005))
    assert 120 < count < 280, f"{count} of 400 with a loss of one half"
    with world.shaped(duplicate="50%"):
        found = world.send("b", "c", 200, 0.0005)
    equal(sorted(set(found)), list(range(200)), "each at least once")
    assert 250 < len(found) < 350, f"{len(found)} of 200 with half of them doubled"
    with world.shaped(reorder="20%"):
        found = world.send("b", "c", 100, 0.001)
    equal(sorted(found), list(range(100)), "each once")
    assert found != sorted(found), "none overtook another"


@test
def a_rate_holds_back_what_is_sent_at_once_and_its_queue_ends(world):
    payload, count = b"0" * 1000, 60
    with world.shaped(rate="1mbit"):
        began = time.monotonic()
        for _ in range(count):
            world.sockets["b"].sendto(payload, (world.network.hosts["c"].address, PORT))
        world.sockets["c"].settimeout(5)
        for _ in range(count):
            world.sockets["c"].recv(2000)
        assert time.monotonic() - began > count * 8000 / 1e6, "sooner than 1 Mbit/s allows"


@test
def orders_that_are_none_are_answered_and_change_nothing(world):
    if world.network.kind != "user-space link":
        return
    for order in ({"cable": "nowhere", "shape": {}}, {"cable": "east-west"},
                  {"cable": "east-west", "shape": {"loss": 2}}, [1],
                  {"cable": "east-west", "way": "up", "shape": {"loss": 1}}):
        try:
            world.network.order(order)
        except ValueError:
            continue
        raise AssertionError(f"taken: {order}")
    equal(world.send("b", "c", 3), [0, 1, 2], "still as it was")


@test
def the_same_seed_meets_the_same_luck(_):
    def luck(seed):
        way = link.Way(0, 1, Shape.read({"loss": 0.3, "duplicate": 0.2, "reorder": 0.2,
                                         "delay": "5ms", "jitter": "5ms"}), seed)
        for number in range(200):
            way.accept(b"%d" % number, number / 1000)
        return sorted(way.heap)

    equal(luck("3 there"), luck("3 there"), "the same seed")
    assert luck("3 there") != luck("4 there"), "another seed, the same luck"
    way = link.Way(0, 1, Shape.read({"rate": "8kbit", "queue_bytes": 3000}), "1")
    for _ in range(5):
        way.accept(b"x" * 1000, 0.0)
    equal(([round(due) for due, _, _ in sorted(way.heap)], way.overflowed), ([1, 2, 3], 2),
          "a full queue")


@test
def netem_is_asked_for_the_same(_):
    shape = Shape.read({"delay": "40ms", "jitter": "4ms", "loss": "2%", "rate": "50mbit"})
    equal(" ".join(shape.netem()), "limit 10000 delay 42.000ms 2.000ms loss 2.0000% "
          "rate 50000000bit", "arguments")
    equal(Shape.read(shape.words()), shape, "words read again")


@test
def a_file_that_is_wrong_says_where(_):
    good = {"a": {"net": "198.18.0.0/24"}, "b": {"net": "198.18.1.0/24"}}
    for value, words in (({"sites": {}}, "1 to 16 sites"),
                         ({"sites": {"a": {"net": "10.0.0.0/24"}}}, "outside"),
                         ({"sites": {**good, "c": {"net": "198.18.1.0/25"}}}, "overlap"),
                         ({"sites": good, "cables": [{"between": ["a", "x"]}]}, "no site 'x'"),
                         ({"sites": good, "cables": [{"between": ["a", "b"], "delay": "5"}]},
                          "no duration"),
                         ({"sites": good, "cables": [{"between": ["a", "b"], "lost": 1}]},
                          "no 'lost'"),
                         ({"sites": good, "nodes": [{"name": "n", "site": "a", "tier": "x"}]},
                          "no tier"),
                         ({"sites": good, "nods": []}, "unknown 'nods'")):
        try:
            Topology(value)
        except Bad as problem:
            assert words in str(problem), f"{problem} does not say {words}"
        else:
            raise AssertionError(f"taken: {value}")


@test
def the_topologies_that_we_ship_can_be_read(_):
    for path in sorted((ROOT / "testnet/topologies").glob("*.yaml")):
        topology = Topology.load(path)
        for site in topology.sites:
            reached = {net for net, _ in topology.routes(site)}
            wanted = {s.net for n, s in topology.sites.items() if n != site and not s.nat}
            assert wanted <= reached, f"{path.name}: {site} does not reach {wanted - reached}"


if __name__ == "__main__":
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    main(World)
