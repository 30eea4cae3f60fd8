"""Starting again without the contacts that were listed: the addresses of members that a node kept
(D/data/peers) lead it back, damaged ones do not stop it."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, test


class World(Mesh):
    """The first is the only contact of the others, and nobody can dial the third."""

    def __init__(self):
        super().__init__()
        self.first, self.second = self.node("edge-1"), self.node("edge-2")
        self.third = self.node("edge-3", advertise="none")
        for node in (self.second, self.third):
            node.sets = [f"peers=[127.0.0.1:{self.first.port}]"]
        self.start()

    @staticmethod
    def remembered(node):
        return node.dir / "data" / "peers"

    def meet(self):
        self.wait_linked([self.second, self.third], 30)


@test
def members_that_can_be_dialled_are_remembered(world):
    first, second = (f"127.0.0.1:{node.port}" for node in (world.first, world.second))
    eventually(lambda: world.remembered(world.third).exists(), "what the third remembers", 20)
    equal(set(world.remembered(world.third).read_text().split()), {first, second}, "the third's")
    equal(world.remembered(world.second).read_text().split(), [first], "the second's")
    equal(world.remembered(world.third).stat().st_mode & 0o777, 0o600, "mode")


@test
def without_its_contact_a_node_comes_back(world):
    world.first.kill()
    equal(world.third.terminate(), 0, "exit status")
    world.third.start()
    world.meet()


@test
def a_damaged_list_is_said_and_what_is_good_in_it_used(world):
    equal(world.third.terminate(), 0, "exit status")
    file = world.remembered(world.third)
    file.write_bytes(b"\x00\xff:7\n" + b"x" * 5000 + b"\n" + file.read_bytes() + b"127.0.0.1:")
    world.third.start()
    world.meet()
    assert "remembered_peers_damaged" in world.third.log(), world.third.tail()


@test
def a_list_that_cannot_be_read_stops_nobody(world):
    equal(world.third.terminate(), 0, "exit status")
    world.remembered(world.third).write_bytes(b"127.0.0.1:1\n" * 10000)
    world.third.sets = [f"peers=[127.0.0.1:{world.second.port}]"]
    world.third.start()
    world.meet()
    assert "remembered_peers_unreadable" in world.third.log(), world.third.tail()
    text = world.remembered(world.third).read_text
    eventually(lambda: f"127.0.0.1:{world.second.port}" in text().split(), "a list again", 20)


main(World)
