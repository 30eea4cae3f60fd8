#!/usr/bin/python3
"""The rules of a mesh among real processes: who is admitted and who is not any more, commands while
voters die, pause and come back with an empty disk, and replicas that have the same state in the
end. Nothing that was acknowledged is lost."""

import pathlib
import shutil
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from commands import REVOKED, Admin, move_node, setting, submit, voters
from mesh import Mesh, Node, free_port, run_cli
from runner import equal, eventually, main, note, test


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.acknowledged = 0
        for name in ("n1", "n2", "n3", "n4"):
            self.node(name)
        self.start()
        self.first = self.node_list[0]
        self.admin = Admin(self.first.dir / "admin.key")

    def put(self, node, key, value, **options):
        status, answer = submit(node, self.admin.sign(setting(key, value, **options)))
        equal((status, answer["outcome"]), (200, "committed"), str(answer))
        self.acknowledged += 1
        return answer

    def running(self):
        return [node for node in self.node_list if node.is_running()]

    def leader(self, nodes):
        """The one whom all of them name, or None."""
        names = {node.status()["leader"] for node in nodes}
        name = names.pop() if len(names) == 1 else None
        return next((n for n in nodes if n.name == name), None)

    def settled(self, nodes, timeout_s=30):
        """All have the same state at the same index; the status of one."""
        def same():
            seen = {(s["applied"], s["epoch"], s["state_hash"])
                    for s in (node.status() for node in nodes)}
            return nodes[0].status() if len(seen) == 1 else None

        return eventually(same, "one state everywhere", timeout_s)

    def options(self, node):
        return ["--dir", node.dir, "--name", node.name, "--tier", "edge", "--region", "eu-west",
                "--http", "127.0.0.1:0", "--mesh", f"127.0.0.1:{free_port()}"]

    def outsider(self, name):
        return Node(name, self.folder, [])


@test
def who_was_invited_is_admitted_and_pulls_the_log(world):
    eventually(lambda: all(n.status()["rules"]["admitted"] for n in world.node_list), "admitted")
    status = world.settled(world.node_list)
    equal(status["voters"], ["n1"], "the first node votes")
    equal([n.status()["rules"]["role"] for n in world.node_list],
          ["leader", "replica", "replica", "replica"], "roles")


@test
def an_invitation_is_good_for_one_node(world):
    token = world.first.cli("invite").strip()
    one, two = world.outsider("one"), world.outsider("two")
    for node in (one, two):
        run_cli("join", token, *world.options(node))
    one.start()
    eventually(lambda: one.status()["rules"]["admitted"], "the first is admitted")
    two.start()
    refused = eventually(lambda: two.status()["rules"]["refused"], "the second is refused")
    equal(refused, "expired", "the reason")
    assert "used up" in two.status()["rules"]["refused_because"], two.status()
    assert "used up" in two.log() and "command_refused" in world.first.log()
    assert not two.status()["rules"]["admitted"]
    equal({n for n, x in two.nodes().items() if x["state"] == "alive"}, {"one", "n1", "two"} &
          {n for n, x in two.nodes().items() if x["state"] == "alive"}, "nobody speaks to it")
    assert "two" not in {n for n, x in world.first.nodes().items() if x["state"] == "alive"}
    two.terminate()
    world.node_list.append(one)


@test
def a_repeated_command_is_harmless_and_a_used_number_is_refused(world):
    command = world.admin.sign(setting("x.once", "1"))
    answers = [submit(node, command)[1] for node in world.node_list[:3]]
    equal({a["outcome"] for a in answers}, {"committed"}, str(answers))
    equal(len({(a["index"], a["epoch"]) for a in answers}), 1, str(answers))
    other = world.admin.sign(setting("x.once", "2"), sequence=world.admin.sequence)
    answer = submit(world.node_list[1], other)[1]
    equal((answer["outcome"], answer["reason"]), ("refused", "replayed"), str(answer))
    answer = submit(world.first, b"\x0a\x03abc")[1]
    equal((answer["outcome"], answer["reason"]), ("refused", "invalid"), str(answer))


@test
def voters_are_made_of_replicas(world):
    answer = submit(world.node_list[3], world.admin.sign(voters(automatic=3)))[1]
    equal(answer["outcome"], "committed", str(answer))
    eventually(lambda: all(len(n.status()["voters"]) == 3 for n in world.running()), "three", 20)
    world.settled(world.running())


@test
def commands_go_on_when_the_leader_is_killed(world):
    leader = world.leader(world.running())
    others = [n for n in world.running() if n is not leader]
    world.put(leader, "x.before", "1")
    leader.kill()
    began = time.monotonic()
    world.put(others[0], "x.after", "1")
    note(f"committed {time.monotonic() - began:.2f} s after the leader was killed")
    for i in range(20):
        world.put(others[i % len(others)], f"x.many.{i}", str(i))
    leader.start()
    world.settled(world.running())


@test
def a_voter_that_is_paused_catches_up(world):
    leader = eventually(lambda: world.leader(world.running()), "a leader")
    voter = next(n for n in world.running() if n.status()["rules"]["role"] == "voter")
    voter.pause()
    for i in range(20):
        world.put(leader, f"x.paused.{i}", str(i))
    voter.resume()
    world.settled(world.running())


@test
def a_leader_that_is_paused_is_replaced_and_comes_back(world):
    leader = eventually(lambda: world.leader(world.running()), "a leader")
    others = [n for n in world.running() if n is not leader]
    leader.pause()
    world.put(others[0], "x.deposed", "1")
    leader.resume()
    world.put(leader, "x.back", "1")
    world.settled(world.running())


@test
def a_wiped_voter_learns_and_votes_again(world):
    voter = next(n for n in world.running() if n.status()["rules"]["role"] == "voter")
    voter.terminate()
    for name in ("raft", "registry", "snapshots"):
        shutil.rmtree(voter.dir / "data" / name)
    world.put(eventually(lambda: world.leader(world.running()), "a leader"), "x.wiped", "1")
    voter.start()
    world.settled(world.running())
    eventually(lambda: len(voter.status()["voters"]) == 3, "it is told of three", 20)
    eventually(lambda: voter.status()["rules"]["role"] in ("voter", "replica"), "its role", 20)


@test
def a_revoked_node_is_out_within_two_seconds(world):
    victim = world.node_list[-1]
    identity = victim.json("ls", "nodes")
    node_id = next(n["id"] for n in identity["nodes"] if n["self"])
    answer = submit(world.first, world.admin.sign(move_node(node_id, REVOKED)))[1]
    began = time.monotonic()
    equal(answer["outcome"], "committed", str(answer))
    inside = [n for n in world.running() if n is not victim]

    def is_out():
        return all(n.nodes()[victim.name]["state"] == "left" for n in inside)

    eventually(is_out, "it is out everywhere", 2)
    note(f"out everywhere {time.monotonic() - began:.2f} s after the answer")
    assert '"reason":"revoked"' in victim.log(), "it is not told why"
    victim.terminate()
    world.node_list.remove(victim)


@test
def nothing_that_was_acknowledged_is_lost(world):
    status = world.settled(world.running())
    equal(status["epoch"] >= world.acknowledged, True, str(status))
    note(f"{world.acknowledged} settings acknowledged, epoch {status['epoch']}, "
         f"index {status['applied']}")


if __name__ == "__main__":
    main(World)
