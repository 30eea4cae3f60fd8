"""One identity in two processes, two identities of one name: who gives way, who is told."""

import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import GRAPEVINE, Mesh, Node, free_port, run_cli
from runner import equal, eventually, main, test


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (self.node(f"edge-{n}") for n in (1, 2, 3))
        self.start()

    def states(self, node):
        return {name: row["state"] for name, row in node.nodes().items()}


def conflicts(node):
    return {(row["name"], row["conflict"]) for row in
            node.control("/mesh/v1/nodes")[1]["nodes"] if row["conflict"]}


@test
def a_directory_that_is_in_use_is_refused(world):
    done = subprocess.run([GRAPEVINE, "run", "--dir", str(world.third.dir)], capture_output=True,
                          text=True, timeout=20)
    equal(done.returncode, 1, "exit status")
    assert "already running" in done.stderr, done.stderr


@test
def a_copied_directory_gives_way_and_the_first_is_told(world):
    copy = world.folder / "copy"
    shutil.copytree(world.third.dir, copy, ignore=shutil.ignore_patterns("*.sock", "lock.mdb"))
    time.sleep(2)  # records tell their second, and "before us" is meant to be seen
    done = subprocess.run([GRAPEVINE, "run", "--dir", str(copy),
                           "--set", f"listen.mesh=127.0.0.1:{free_port()}",
                           "--set", f"peers=[127.0.0.1:{world.first.port}]"],
                          capture_output=True, text=True, timeout=60)
    equal(done.returncode, 3, f"exit status\n{done.stderr[-3000:]}")
    assert "already running elsewhere" in done.stderr.splitlines()[-1], done.stderr
    assert "identity_used_twice" in world.third.log(), world.third.tail()
    equal(conflicts(world.third), {("edge-3", "identity")}, "ls nodes")
    assert "identity twice" in world.third.cli("ls", "nodes")
    world.wait_linked()
    equal(world.states(world.first)["edge-3"], "alive", "the first process, afterwards")


@test
def a_name_that_is_taken_is_refused_and_both_sides_say_so(world):
    """The rules keep names apart; what gossip shows where two were there before is tested with a
    roster of its own (unit tests of the listing)."""
    namesake = Node("edge-2", world.folder, [f"peers=[127.0.0.1:{world.first.port}]"])
    namesake.dir, namesake.port = world.folder / "namesake", free_port()
    namesake.log_path = world.folder / "namesake.log"
    run_cli("join", world.first.cli("invite").strip(), "--dir", namesake.dir, "--name", "edge-2",
            "--tier", "edge", "--region", "eu-west", "--http", "127.0.0.1:0",
            "--mesh", f"127.0.0.1:{namesake.port}")
    namesake.start()
    eventually(lambda: namesake.status()["rules"]["refused"] == "exists", "the refusal")
    assert "has this name" in namesake.status()["rules"]["refused_because"], namesake.status()
    assert "command_refused" in world.first.log(), world.first.tail()
    rows = [row for row in world.first.control("/mesh/v1/nodes")[1]["nodes"]
            if row["name"] == "edge-2" and row["state"] == "alive"]
    equal([row["id"] for row in rows], [world.second.nodes()["edge-2"]["id"]], "who is edge-2")
    equal(namesake.terminate(), 0, "exit status")
    equal(namesake.findings(), [], "findings")


main(World)
