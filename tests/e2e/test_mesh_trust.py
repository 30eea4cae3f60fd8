"""Who gets in, and who does not: altered and expired invitations, another mesh's node, an expired
certificate, a clock that is off by an hour. Each is refused with its reason; the mesh goes on."""

import pathlib
import random
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from machine import Machine, why_not
from mesh import Mesh, Node, free_port, run_cli
from runner import Skip, equal, eventually, main, note, test
from web import Raw, chat

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.backend = self.engine("m1")
        self.private = self.engine("private")
        self.edge = self.node("edge-1", tier="edge")
        self.cloud = self.node("cloud-1", tier="cloud", backends=[self.backend.url])
        self.start()
        eventually(lambda: "m1" in self.edge.model_nodes(), "m1")

    def at(self, seconds):
        """The environment of a wrong clock."""
        if reason := why_not():
            raise Skip(reason)
        machine = Machine(self.folder, f"ahead-{seconds}")
        machine.set(ahead_s=seconds)
        return machine.env

    def try_out(self, node, env=()):
        """Starts a node that should not get in; true when it runs, and is then known to the end."""
        try:
            node.start(env=env)
        except AssertionError as refusal:
            assert node.child.wait(10) not in (0, -6, -11), refusal
            assert "grapevine: " in node.log(), refusal
            note(f"does not start: {node.log().splitlines()[-1][:150]}")
            return False
        node.fds_at_start = None
        self.node_list.append(node)
        return True

    def is_kept_out(self, node, reason):
        """Neither side takes the other for alive, and a log says why."""
        inside = (self.edge, self.cloud)
        eventually(lambda: any(reason in n.log() for n in (*inside, node)),
                   f"{reason} in a log", 15)
        for other in inside:
            seen = other.nodes().get(node.name)
            assert seen is None or seen["state"] != "alive", f"{other.name} took it in: {seen}"
        assert not any(n["state"] == "alive" and not n.get("self") for n in node.nodes().values())
        equal(chat(node.http, "m1").status, 404, "it cannot use our models")
        equal(chat(self.edge.http, "private").status, 404, "and we do not use its")

    def outsider(self, name):
        node = Node(name, self.folder, [f"peers=[127.0.0.1:{self.edge.port}]"])
        node.port, node.advertise = free_port(), None
        return node

    def options(self, node):
        return ("--dir", node.dir, "--name", node.name, "--http", "127.0.0.1:0", "--mesh",
                f"127.0.0.1:{node.port}", "--backend", self.private.url)


@test
def a_wrong_token_makes_no_node(world):
    token = world.edge.cli("invite").strip()
    assert token.startswith("gv1_"), token
    middle = len(token) // 2
    flipped = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for wrong in ("", "gv1_", "nonsense", token[:-7], flipped, token + "AAAA"):
        code, out, error = run_cli("join", wrong, "--dir", world.folder / "never", "--name", "x",
                                   code=None)
        assert code in (2, 3) and error.startswith("grapevine: "), (wrong, code, error)
        assert error.count("\n") == 1, f"more than one line: {error}"
        assert not (world.folder / "never" / "node.key").exists(), "a key was left behind"


@test
def a_directory_that_is_a_node_already_is_refused(world):
    token = world.edge.cli("invite").strip()
    key = (world.cloud.dir / "node.key").read_bytes()
    for command in (("init",), ("join", token)):
        code, _, error = run_cli(*command, "--dir", world.cloud.dir, "--name", "again", code=None)
        assert code in (1, 3) and error.startswith("grapevine: "), (code, error)
    equal((world.cloud.dir / "node.key").read_bytes(), key, "the key")


@test
def secrets_are_for_their_owner_only(world):
    for name in ("node.key", "admin.key", "root.key"):
        mode = (world.edge.dir / name).stat().st_mode & 0o777
        equal(oct(mode), "0o600", f"mode of {name}")
    assert not (world.cloud.dir / "root.key").exists(), "a node that joined has the root's key"
    assert not (world.cloud.dir / "admin.key").exists(), "a node that joined has an admin's key"


@test
def an_invitation_bounds_tier_and_region(world):
    token = world.edge.cli("invite", "--tier", "edge", "--region", "eu-west").strip()
    for tier, region in (("cloud", "eu-west"), ("edge", "us-east")):
        code, _, error = run_cli("join", token, "--dir", world.folder / "wide", "--name", "wide",
                                 "--tier", tier, "--region", region, code=None)
        equal(code, 3, f"{tier} in {region}: {error}")
    run_cli("join", token, "--dir", world.folder / "fits", "--name", "fits")


@test
def an_expired_invitation_is_refused(world):
    token = run_cli("invite", "--expires", "1h", "--dir", world.edge.dir,
                    env=world.at(-2 * HOUR_S), code=None)
    if token[0] != 0:  # two hours ago there was no mesh: invite now, join in two hours
        token = (0, world.edge.cli("invite", "--expires", "1h"), "")
        env = world.at(2 * HOUR_S)
    else:
        env = ()
    code, _, error = run_cli("join", token[1].strip(), "--dir", world.folder / "late", "--name",
                             "late", env=env, code=None)
    equal(code, 3, error)
    assert "expired" in error, error


@test
def a_node_of_another_mesh_is_refused(world):
    """It has every right in its own mesh, and dials ours."""
    stranger = world.outsider("stranger")
    run_cli("init", *world.options(stranger))
    assert world.try_out(stranger), "it is a node like any other"
    world.is_kept_out(stranger, "wrong_mesh")


@test
def a_node_with_an_expired_certificate_is_refused(world):
    """Joined in a year and a day's past of this mesh's clock: by ours its year is over."""
    late = world.outsider("late")
    token = world.edge.cli("invite", "--expires", "2h").strip()
    run_cli("join", token, *world.options(late))
    in_a_year = world.at(366 * DAY_S)
    assert not world.try_out(late, in_a_year) or \
        any(n["state"] != "alive" for n in late.nodes().values() if not n.get("self")), "let in"


@test
def those_who_are_inside_keep_out_whoever_expired(world):
    """Here the clock of those inside is a year on, and the other one's stands still."""
    inside = world.outsider("inside")
    run_cli("init", *world.options(inside))
    token = inside.invite("--expires", "2h")
    other = world.outsider("other")
    other.sets = [f"peers=[127.0.0.1:{inside.port}]"]
    run_cli("join", token, *world.options(other))
    renewed = run_cli("invite", "--dir", inside.dir, env=world.at(200 * DAY_S)).strip()
    inside.terminate()
    fresh = world.outsider("fresh")
    fresh.sets = ["peers=[]"]
    run_cli("join", renewed, *world.options(fresh), env=world.at(200 * DAY_S))
    world.try_out(fresh, world.at(366 * DAY_S))
    other.sets = [f"peers=[127.0.0.1:{fresh.port}]"]
    world.try_out(other)
    eventually(lambda: "cert_expired" in fresh.log() + other.log() or
               "clock_skew" in fresh.log() + other.log(), "the reason in a log", 15)
    assert fresh.nodes().get("other", {}).get("state") != "alive", "it was let in"


@test
def a_clock_that_is_off_by_an_hour_is_told(world):
    for name, hours in (("fast", 1), ("slow", -1)):
        node = world.outsider(name)
        run_cli("join", world.edge.cli("invite").strip(), *world.options(node))
        if world.try_out(node, world.at(hours * HOUR_S)):
            eventually(lambda: "clock" in node.log(), "the clock in its log", 15)
            world.is_kept_out(node, "clock_skew")


@test
def nonsense_on_the_mesh_port_is_cut_off(world):
    rng = random.Random(7)
    for text in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4000, b"\xff" * 70000, rng.randbytes(3000)):
        with Raw(world.edge.port) as client:
            try:
                client.send(text)
            except OSError:
                pass
            assert client.is_closed_within(15), f"still open after {text[:20]!r}"
    for _ in range(100):
        with Raw(world.edge.port) as client:
            client.send(rng.randbytes(rng.randrange(1, 200)))


@test
def those_who_say_nothing_on_the_mesh_port_are_cut_off(world):
    silent = [Raw(world.edge.port) for _ in range(80)]
    try:
        equal(chat(world.edge.http, "m1").status, 200, "chat meanwhile")
        left = [client for client in silent if not client.is_closed_within(12)]
        equal(len(left), 0, "silent connections still open after 12 s")
    finally:
        for client in silent:
            client.close()


@test
def a_peer_that_takes_the_call_and_says_nothing_does_no_harm(world):
    with socket.socket() as tarpit:
        tarpit.bind(("127.0.0.1", 0))
        tarpit.listen()
        node = world.outsider("patient")
        node.sets = [f"peers=[127.0.0.1:{tarpit.getsockname()[1]}, "
                     f"127.0.0.1:{world.edge.port}]"]
        run_cli("join", world.edge.cli("invite").strip(), *world.options(node))
        assert world.try_out(node), "it does not start"
        eventually(lambda: chat(world.edge.http, "private").status == 200, "it serves", 15)
        world.node_list.remove(node)
        node.kill()
    eventually(lambda: chat(world.edge.http, "private").status != 200, "it is gone", 15)


@test
def the_mesh_is_as_it_was(world):
    answer = chat(world.edge.http, "m1")
    equal((answer.status, answer.fields["grapevine-path"]), (200, "edge-1,cloud-1"), "chat")
    eventually(lambda: {name for name, n in world.edge.nodes().items() if n["state"] == "alive"} ==
               {"edge-1", "cloud-1"}, "only they are alive", 15)


if __name__ == "__main__":
    main(World)
