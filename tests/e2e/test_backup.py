"""When voters are lost: the log as people read it, a snapshot saved and restored, a voter's log
that begins a new history. What was acknowledged is there afterwards; what must not be done is
refused."""

import json
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, run_cli
from runner import equal, eventually, main, test


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = (self.node(f"n{i}", region="eu-west")
                                               for i in (1, 2, 3))
        self.start()
        self.first.cli("voters", "auto", "3")
        eventually(lambda: len(self.first.status()["voters"]) == 3, "three voters", 30)
        for i in range(10):
            self.first.cli("setting", "put", f"x.k{i}", str(i))


def move_data(node):
    for name in ("raft", "registry", "snapshots"):
        folder = node.dir / "data" / name
        if folder.exists():
            shutil.move(folder, node.dir / f"old-{name}")


@test
def voters_are_listed_with_how_far_they_are(world):
    leader = world.first.status()["leader"]
    node = next(n for n in world.node_list if n.name == leader)
    rows = {row["name"]: row for row in node.json("voters", "ls")["items"]}
    equal(sorted(rows), ["n1", "n2", "n3"], "voters")
    equal(rows[leader]["state"], "leader", "the leader")
    applied = node.status()["applied"]
    eventually(lambda: all(row["match"] >= applied for row in node.json("voters", "ls")["items"]),
               "all logs as long as the leader's")
    assert "WANTED" in node.cli("voters", "ls")


@test
def the_log_is_read(world):
    lines = [json.loads(line) for line in
             world.first.cli("log", "tail", "--last", "5", "-o", "json").splitlines()]
    equal(len(lines), 5, "lines")
    ops = [op for line in lines for command in line.get("commands", ()) for op in command["ops"]]
    equal(ops[-1]["document"], {"key": "x.k9", "value": "9"}, "the last one")
    text = world.first.cli("log", "tail", "--last", "100")
    assert "setting.put x.k9/9" in text and "config: 3 voters" in text, text


@test
def a_snapshot_is_saved_and_restored_into_a_new_history(world):
    file = world.folder / "mesh.snapshot"
    out = world.second.cli("snapshot", "save", file)
    assert "saved" in out and file.stat().st_mode & 0o077 == 0, out
    for node in world.node_list:
        node.kill()
    code, _, err = world.first.cli("snapshot", "restore", file, code=None)
    equal(code, 2, err)
    assert "--yes" in err, err
    code, _, err = world.first.cli("snapshot", "restore", file, "--yes", code=None)
    equal(code, 1, err)
    assert "away first" in err, err
    move_data(world.first)
    cut = world.folder / "cut.snapshot"
    cut.write_bytes(file.read_bytes()[:-1])
    code, _, err = world.first.cli("snapshot", "restore", cut, "--yes", code=None)
    equal(code, 1, err)
    move_data_again(world.first)
    assert "alone votes" in world.first.cli("snapshot", "restore", file, "--yes")
    world.first.start()
    eventually(lambda: world.first.status()["leader"] == "n1", "it leads", 20)
    equal(world.first.status()["voters"], ["n1"], "it alone votes")
    equal(world.first.json("setting", "get", "x.k9", "--consistent")["value"], "9", "the value")
    world.first.cli("setting", "put", "x.after", "1")


def move_data_again(node):
    for name in ("raft", "registry", "snapshots"):
        shutil.rmtree(node.dir / "data" / name, ignore_errors=True)


@test
def the_others_join_the_new_history_with_empty_disks(world):
    move_data(world.second)
    move_data(world.third)
    world.second.start()
    world.third.start()
    world.first.cli("voters", "auto", "3")
    eventually(lambda: len(world.first.status()["voters"]) == 3, "three voters again", 40)

    def same():
        seen = {(s["applied"], s["state_hash"]) for s in (n.status() for n in world.node_list)}
        return len(seen) == 1

    eventually(same, "one state everywhere", 20)
    equal(world.third.json("setting", "get", "x.after")["value"], "1", "at the third")


@test
def one_voters_log_begins_a_new_history(world):
    code, _, err = world.first.cli("recover", "--yes", code=None)
    assert code != 0 and "run" in err, err  # it runs
    for node in world.node_list:
        node.kill()
    code, _, err = world.second.cli("recover", code=None)
    equal(code, 2, err)
    out = json.loads(world.second.cli("recover", "--yes", "-o", "json"))
    equal(out["voters_before"], 3, "voters before")
    world.second.start()
    eventually(lambda: world.second.status()["leader"] == "n2", "it leads", 20)
    equal(world.second.status()["voters"], ["n2"], "it alone votes")
    equal(world.second.json("setting", "get", "x.after", "--consistent")["value"], "1", "the value")
    world.second.cli("setting", "put", "x.again", "1", "--key", world.first.dir / "admin.key")
    for node in (world.first, world.third):
        move_data_again(node)
        node.start()
    world.second.cli("voters", "auto", "3", "--key", world.first.dir / "admin.key")
    eventually(lambda: len(world.second.status()["voters"]) == 3, "three voters again", 40)


@test
def a_directory_without_a_log_cannot_be_recovered(world):
    token = world.second.cli("invite", "--key", world.first.dir / "admin.key").strip()
    where = world.folder / "fresh"
    run_cli("join", token, "--dir", where, "--name", "fresh", "--tier", "edge", "--region",
            "eu-west", "--http", "127.0.0.1:0", "--mesh", "127.0.0.1:0")
    code, _, err = run_cli("recover", "--yes", "--dir", where, code=None)
    equal(code, 1, err)
    assert "never voted" in err, err


if __name__ == "__main__":
    main(World)
