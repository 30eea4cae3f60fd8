"""The fleet of a scenario: a network (testnet/wan), in each of its places a real node and, where
the topology says so, an emulated engine; enrolled by invitations, voters made, tenants put. Built
on tests/support, so that whatever is wrong at the end (an exit status, a sanitizer's finding, an
alarm in a log) is found here too. Used by run.py."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "wan"), str(HERE.parents[1] / "tests/support")]
import certificate
import mesh
from commands import Admin, submit, voters
from emulated import ENGINE, LOAD, Emulated
from machine import Machine, why_not as why_no_machine
from mesh import Mesh, run_cli
from network import Network
from runner import equal, eventually
from small_disk import SmallDisk, why_not as why_no_disk
from wan_world import FarNode, Inside

MESH_PORT, HTTP_PORT, ENGINE_PORT = 7300, 7380, 8081
CONCURRENCY = 64     # of a backend that batches
VOTERS = 3
DISK_MIB = 64        # of a node's data, where a scenario fills it
ALARMS = re.compile("rules_stopped|state_differs|replica_source_lies|raft_message_too_long|"
                    'gossip_refused.*"invalid"')
NOTICE = "/latest/meta-data/spot/instance-action"  # of a reclaim, as the engine serves it
ENGINE_FLAGS = {"like": "vllm", "profile": "h100", "speed": 2}


class PlacedEngine(Inside, Emulated):
    """In a node's place, with a history of what it computed."""

    def __init__(self, name, folder, place, flags, seed):
        self.history_path = folder / f"{name}.history"
        words = {**ENGINE_FLAGS, **flags}
        model = f"chat={words.pop('shape', 'llama-3.1-8b-q4')}"
        words = [word for key, value in words.items() for word in (f"--{key}", str(value))]
        super().__init__(name, folder, *words, "--model", model, "--port", str(ENGINE_PORT),
                         "--seed", str(seed), "--answer-tokens", "12",
                         "--history", str(self.history_path))
        self.place = place

    def ask(self, method, path, value=None):
        connection = http.client.HTTPConnection("127.0.0.1", ENGINE_PORT, timeout=10)
        with contextlib.closing(connection):
            connection.sock = self.place.connect(ENGINE_PORT, 10)
            connection.request(method, path, None if value is None else json.dumps(value))
            answer = connection.getresponse()
            text = answer.read().decode()
            equal(answer.status, 200, f"{method} {path} {value}: {text}")

    def computed(self):
        """Its history, as rows."""
        rows = []
        for line in self.history_path.read_text().splitlines():
            with contextlib.suppress(ValueError):  # cut off by a kill
                rows.append(json.loads(line))
        return rows


class FleetNode(FarNode):
    """A node that may have another program, and a disk of its own that can be filled."""

    program = None
    disk = None
    machine = None
    is_paused = False

    def pause(self):
        super().pause()
        self.is_paused = True

    def resume(self):
        super().resume()
        self.is_paused = False

    def spawn(self, command, ready, env=(), timeout_s=mesh.READY_S):
        env_of = self.machine.env.items() if self.machine else ()
        words = ["env", *(f"{key}={value}" for key, value in env_of)] if env_of else []
        return super().spawn([*words, self.program or command[0], *command[1:]], ready, env,
                             timeout_s)

    def own_disk(self):
        self.disk = SmallDisk(self.dir / "data", DISK_MIB)

    def drop_disk(self):
        if self.disk:
            self.disk.drop()
            self.disk = None


class Fleet(Mesh):
    def __init__(self, scenario):
        super().__init__()
        self.scenario, self.topology = scenario, scenario.topology
        self.named, self.engine_of, self.keys, self.network = {}, {}, {}, None
        self.needs_disks = any(fault.kind == "disk" for fault in scenario.faults)
        self.needs_machines = needs_machines(scenario)
        self.is_spot = {fault.target for fault in scenario.faults if fault.kind == "reclaim"}
        try:
            if self.needs_disks:
                assert not (reason := why_no_disk()), reason
            self.network = Network(self.topology, scenario.seed)
            rows = sorted(self.topology.nodes.values(),  # who founds a mesh has to be reached
                          key=lambda row: self.topology.sites[row.site].nat)
            for number, row in enumerate(rows):
                self.place(row, number)
            for node in self.node_list:
                if node.name in scenario.lawless:
                    node.program = lawless_program()
                if not node.is_running() or node.only_invites:
                    node.start()
            self.wait_whole("the fleet is whole", 60)
            self.make_rules()
        except BaseException:
            self.close()
            raise

    # --- making

    def place(self, row, number):
        node = FleetNode(row.name, self.folder, [])
        node.place, node.row = self.network.hosts[row.name], row
        site = self.topology.sites[row.site]
        options = ["--dir", node.dir, "--name", row.name, "--region", site.region, "--tier",
                   row.tier, "--http", f"127.0.0.1:{HTTP_PORT}", "--mesh",
                   f"{row.address}:{MESH_PORT}"]
        options += ["--zone", row.zone] if row.zone else []
        options += ["--advertise", "none"] if site.nat else []
        if row.engine is not None:
            engine = PlacedEngine(f"engine-of-{row.name}", self.folder, node.place, row.engine,
                                  number + 1)
            engine.start()
            self.engines.append(engine)
            self.engine_of[row.name] = engine
            options += ["--backend", f"http://127.0.0.1:{ENGINE_PORT}"]
        if self.node_list:
            run_cli("join", self.token, *options)
        else:
            run_cli("init", *options)
        config = node.dir / "grapevine.yaml"
        text = config.read_text().replace("concurrency: 4", f"concurrency: {CONCURRENCY}")
        config.write_text(text.replace('version: ""', f'version: "{row.version}"'))
        node.sets = [*row.sets]
        if row.name in self.is_spot:
            node.sets += ["node.spot=true", f"node.reclaim=http://127.0.0.1:{ENGINE_PORT}{NOTICE}"]
        dialable = [other for other in self.node_list if not self.is_behind_nat(other)]
        if dialable:
            node.sets.append("peers=[" + ", ".join(f"{n.row.address}:{MESH_PORT}"
                                                   for n in dialable) + "]")
        if self.needs_disks:
            node.own_disk()
        if self.needs_machines:
            node.machine = Machine(self.folder, row.name)
        if not self.node_list:
            self.token = node.invite("--uses", "100")
        self.node_list.append(node)
        self.named[row.name] = node

    def seeds(self):
        """Of those who sign the chain of a node that joined: root, administrator, invitation."""
        folder = self.node_list[0].dir
        return [certificate.seed_of_file(folder / "root.key"),
                certificate.seed_of_file(folder / "admin.key"),
                certificate.seed_of_token(self.token)]

    def is_behind_nat(self, node):
        return self.topology.sites[node.row.site].nat

    def make_rules(self):
        eventually(lambda: all(n.status()["rules"]["admitted"] for n in self.node_list), "admitted",
                   30)
        self.admin = Admin(self.node_list[0].dir / "admin.key")
        count = min(VOTERS, len(self.node_list) - (len(self.node_list) + 1) % 2)
        status, answer = submit(self.node_list[0], self.admin.sign(voters(automatic=count)))
        equal((status, answer["outcome"]), (200, "committed"), str(answer))
        eventually(lambda: self.votes(count), f"{count} voters", 40)
        self.voter_count = count
        for name, regions in self.scenario.tenants.items():
            flags = [word for region in regions for word in ("--region", region)]
            self.node_list[0].cli("tenant", "put", name, *flags)
            self.keys[name] = self.node_list[0].cli("tenant", "key", "add", name).strip()
        for path in self.scenario.policies:
            self.node_list[0].cli("apply", "-f", path)
        epoch = self.node_list[0].status()["epoch"]
        eventually(lambda: all(n.status()["epoch"] >= epoch for n in self.node_list),
                   "the rules known everywhere", 20)

    # --- what is seen

    def statuses(self):
        return {node.name: node.status() for node in self.node_list if node.is_running()}

    def votes(self, count):
        roles = [s["rules"]["role"] for s in self.statuses().values()]
        return roles.count("leader") == 1 and roles.count("voter") == count - 1

    def leader(self):
        """By its own account; the name, or None."""
        leading = [(s["rules"]["term"], name) for name, s in self.seen_statuses().items()
                   if s["rules"]["role"] == "leader"]
        return max(leading)[1] if leading else None

    def seen_statuses(self):
        """Of those that answer."""
        found = {}
        for node in self.node_list:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if node.is_running():
                    found[node.name] = node.control("/mesh/v1/status")[1]
        return found

    def what_is_missing(self):
        """None when every node sees every other of its region alive, abroad at least one, all
        engines' models, and the same rules."""
        regions = {name: self.topology.sites[row.site].region
                   for name, row in self.topology.nodes.items()}
        heads = set()
        for node in self.node_list:
            if not node.is_running():
                return f"{node.name} does not run"
            status, seen = node.status(), node.nodes()
            heads.add((status["epoch"], status["state_hash"]))
            near = [name for name, region in regions.items() if region == regions[node.name]]
            away = [name for name in near if seen.get(name, {}).get("state") != "alive"]
            if away:
                return f"{node.name} does not see {', '.join(away)}"
            silent = [name for name in near if name in self.engine_of and not
                      [b for b in seen[name]["backends"] or () if b["state"] == "up"]]
            if silent:
                return f"{node.name} does not see the engines of {', '.join(silent)}"
            abroad = {row["region"] for row in seen.values() if row["state"] == "alive"}
            if abroad < set(regions.values()):
                return f"{node.name} sees {abroad} only"
        return None if len(heads) == 1 else f"{len(heads)} states of the rules"

    def wait_whole(self, what, timeout_s):
        last = None

        def whole():
            nonlocal last
            try:
                last = self.what_is_missing()
            except (OSError, http.client.HTTPException, ValueError, TypeError) as problem:
                last = repr(problem)
            return last is None

        try:
            eventually(whole, what, timeout_s, 0.1)
        except AssertionError:
            raise AssertionError(f"not within {timeout_s} s: {what}: {last}") from None

    def alarms(self):
        return [f"{node.name}: {line}" for node in self.node_list
                for line in node.log().splitlines() if ALARMS.search(line)]

    def said(self, word):
        """By how many nodes."""
        return sum(word in node.log() for node in self.node_list)

    # --- ending

    def close(self):
        """All that was wrong, as a list; the folder goes if nothing was."""
        problems = []
        for node in self.node_list:
            node.fds_at_start = None  # judged by samples
            try:
                problems += self.problems_of(node)
            except OSError as problem:
                problems.append(f"{node.name}: {problem!r}")
        for engine in self.engines:
            if engine.is_running():
                engine.terminate()
        if self.network:
            left = self.network.close()
            problems += [f"left in {place}: {pids}" for place, pids in left.items()]
        for node in self.node_list:
            node.drop_disk()
        return problems

    def forget(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def needs_machines(scenario):
    return any(fault.kind in ("clock", "slow_disk") for fault in scenario.faults)


def lawless_program():
    """Beside the true one."""
    path = pathlib.Path(mesh.GRAPEVINE).with_name("grapevine-lawless")
    assert path.exists(), f"no program {path}: build it too"
    return str(path)


def missing_program(scenario=None):
    """Which program is missing, or None."""
    for path in (mesh.GRAPEVINE, ENGINE, LOAD):
        if not pathlib.Path(path).exists():
            return f"no program {path}: build it by preset release"
    if scenario and any(fault.kind == "upgrade" for fault in scenario.faults):
        path = os.environ.get("GRAPEVINE_NEXT", "")
        if not os.access(path, os.X_OK):
            return "this one wants another build of the program: set GRAPEVINE_NEXT to its path"
    if scenario and needs_machines(scenario):
        return why_no_machine()
    return None
