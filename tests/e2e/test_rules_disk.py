#!/usr/bin/python3
"""The rules of a mesh among real processes whose disks are full or fail: a leader without room
steps down and the others go on, everybody reads on, and who has room again catches up by itself; a
sync that fails ends the node and it says which. Disks are small file systems in memory. Needs
root."""

import errno
import http.client
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from commands import Admin, setting, submit, voters
from machine import Machine, why_not as why_no_machine
from mesh import Mesh
from runner import SKIPPED, Skip, equal, eventually, main, note, test
from small_disk import SmallDisk, why_not

DISK_MIB = 40     # two segments of the log and the registry, twice
LONG = "v" * 1000
COMMANDS_MAX = 400  # the registry grows by some pages with each


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.disks = {}
        for name in ("n1", "n2", "n3", "n4"):
            node = self.node(name)
            if node.is_running():  # it invited
                equal(node.terminate(), 0, "exit status")
                node.only_invites = False
            self.disks[name] = SmallDisk(node.dir / "data", DISK_MIB)
        self.start()
        self.admin = Admin(self.node_list[0].dir / "admin.key")
        self.put(self.node_list[0], "x.before", "1")
        status, answer = submit(self.node_list[0], self.admin.sign(voters(automatic=3)))
        equal((status, answer["outcome"]), (200, "committed"), str(answer))
        eventually(lambda: sorted(self.roles().values()) == ["leader", "replica", "voter", "voter"],
                   "three voters", 30)

    def put(self, node, key, value):
        status, answer = submit(node, self.admin.sign(setting(key, value)))
        equal((status, answer["outcome"]), (200, "committed"), str(answer))

    def roles(self):
        return {n.name: n.status()["rules"]["role"] for n in self.node_list if n.is_running()}

    def with_role(self, role):
        def found():
            names = [name for name, known in self.roles().items() if known == role]
            return next((n for n in self.node_list if n.name in names), None)

        return eventually(found, f"a {role}", 20)

    def put_until_full(self, node, through):
        """The number of commands that it took."""
        for i in range(COMMANDS_MAX):
            self.put(through, f"x.long.{i}", LONG)
            if node.status()["rules"]["disk_full"]:
                return i + 1
        raise AssertionError(f"{node.name} has room for {COMMANDS_MAX} commands")

    def settled(self, timeout_s=30):
        def same():
            seen = {(s["applied"], s["epoch"], s["state_hash"])
                    for s in (node.status() for node in self.node_list)}
            return len(seen) == 1

        eventually(same, "one state everywhere", timeout_s)

    def gauge(self, node, name):
        connection = http.client.HTTPConnection(node.host, node.http, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} "))

    def check_full_and_freed(self, node, through):
        """All that is to be seen of a full disk, from then until there is room again."""
        pid = node.pid
        self.disks[node.name].fill()
        count = self.put_until_full(node, through)
        note(f"{node.name} was full after {count} commands")
        began = time.monotonic()
        for i in range(20):
            self.put(through, f"x.others.{i}", LONG)
        note(f"twenty more were committed within {time.monotonic() - began:.2f} s")
        rules = node.status()["rules"]
        assert rules["disk_full"] and rules["stopped"] is None, rules
        assert rules["role"] != "leader", rules
        equal(self.gauge(node, "grapevine_rules_disk_full"), "1", "the metric")
        assert "rules_disk_full" in node.log() and "rules_stopped" not in node.log(), node.tail()
        equal(node.json("setting", "get", "x.before")["value"], "1", "what it has is read on")
        self.disks[node.name].free()
        began = time.monotonic()
        eventually(lambda: not node.status()["rules"]["disk_full"], "room again", 20)
        self.settled()
        note(f"it had caught up {time.monotonic() - began:.2f} s after there was room")
        equal((node.pid, self.gauge(node, "grapevine_rules_disk_full")), (pid, "0"), "the same one")
        assert "rules_disk_has_room" in node.log(), node.tail()
        self.put(node, "x.back", node.name)
        self.settled()

    def forget(self):
        for disk in self.disks.values():
            disk.drop()
        super().forget()

    def show(self):
        super().show()
        for node in self.node_list:
            print(f"    {node.name}: {node.status() if node.is_running() else 'gone'}")


@test(limit_s=120)
def a_leader_without_room_steps_down_and_catches_up_by_itself(world):
    leader = world.with_role("leader")
    other = world.with_role("voter")
    world.check_full_and_freed(leader, other)
    assert '"reason":"disk_full"' in leader.log(), "it says why it leads no more"
    eventually(lambda: "voter" == leader.status()["rules"]["role"], "it votes", 20)


@test(limit_s=120)
def it_takes_commands_for_the_new_leader(world):
    leader = world.with_role("leader")
    world.disks[leader.name].fill()
    world.put_until_full(leader, world.with_role("voter"))
    for i in range(10):
        world.put(leader, f"x.through.{i}", LONG)
    world.disks[leader.name].free()
    world.settled()


@test(limit_s=120)
def a_replica_without_room_waits_and_catches_up(world):
    world.check_full_and_freed(world.with_role("replica"), world.with_role("leader"))


@test(limit_s=120)
def a_voter_without_room_waits_and_catches_up(world):
    world.check_full_and_freed(world.with_role("voter"), world.with_role("leader"))


@test(limit_s=60)
def a_sync_that_fails_ends_the_node_and_it_says_which(world):
    if reason := why_no_machine():
        raise Skip(reason)
    voter = world.with_role("voter")
    own = Machine(world.folder, voter.name)
    equal(voter.terminate(), 0, "exit status")
    voter.start(env=own.env)
    world.settled()
    own.set(sync_errno=errno.EIO)
    world.put(world.with_role("leader"), "x.sync", "1")
    eventually(lambda: not voter.is_running(), "it ends", 20)
    equal(voter.child.returncode, 1, "exit status")
    line = next(line for line in voter.log().splitlines() if "rules_stopped" in line)
    note(line)
    assert '"reason":"io"' in line and "sync" in line and "/data/raft/log-" in line, line
    voter.start()
    world.settled()


if __name__ == "__main__":
    if reason := why_not():
        print(f"skip: {reason}")
        sys.exit(SKIPPED)
    main(World)
