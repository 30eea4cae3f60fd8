"""Scenario files: a fleet, its load, what happens to it and when, and what is expected. Read and
checked here, before anything starts; carried out by run.py, judged by judge.py.

    about: the cloud dies under load
    topology: fleet                  # of testnet/topologies
    seconds: 30                      # of load; then all is healed, and has to settle
    tenants: {acme: {regions: [eu-west]}}
    load:
      - {entry: edge-2, rate: 100, streams: 20%, tenant: acme}
    policies: [interactive]          # of testnet/policies
    commands: 2                      # clients that compare, set and read rules meanwhile
    faults:
      - {at: 8s, kill: cloud-1, for: 5s}
    chance:                          # and by a seeded generator
      {from: 5s, until: 25s, calm: 1s..3s, lasts: 1s..5s, faults: {kill: 3, cut: 2},
       spare: [edge-2]}
    expect: {slowest: 5s, served_by: {regional-1: 50}}"""

import dataclasses
import pathlib
import random
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "wan"))
from shape import duration_s, share
from topology import Bad, Topology, check, fields

# What a fault is done to.
NODE, ENGINE, CABLE, SITE, FLEET, ORDER = "node", "engine", "cable", "site", "fleet", "order"
KINDS = {
    "kill": NODE, "pause": NODE, "restart": NODE, "wipe": NODE, "disk": NODE,
    "upgrade": NODE,         # restarted as $GRAPEVINE_NEXT, another build, and stays so
    "silence": NODE,         # way: mute | deaf | both
    "slow_disk": NODE,       # with: {by: 500ms}, each sync
    "clock": NODE,           # with: {by: 3600s}, or -3600s
    "reclaim": NODE,         # with an engine: its machine goes, with notice, 2 s before the end
    "expire": NODE,          # its certificate ends in the middle of `for`
    "crash": ENGINE, "engine": ENGINE,   # with: an order of grapevine-engine's /faults
    "cut": CABLE,            # way: there | back | both
    "shape": CABLE,          # with: words of a cable
    "cutoff": SITE,          # all its cables
    "power": FLEET,          # off, for all of them
    "order": ORDER,          # a signed command: words of the CLI; through: a node
}
BY_CHANCE = ("kill", "pause", "restart", "wipe", "silence", "crash", "engine", "cut", "shape",
             "cutoff")
WORDS = ("at", "for", "way", "with", "through")
WAYS = {"silence": ("both", "mute", "deaf"), "cut": ("both", "there", "back"),
        "shape": ("both", "there", "back")}
WHO = ("leader", "follower")  # found out when it happens
ENGINE_FAULTS = ({"fault": "slow", "factor": 8}, {"fault": "error"},  # hang: engine-hangs.yaml
                 {"fault": "reset", "after": 3}, {"fault": "freeze"})
BAD_SHAPES = ({"delay": "150ms", "jitter": "50ms"}, {"loss": "10%"}, {"rate": "2mbit"},
              {"duplicate": "20%", "reorder": "20%"})
MEMORY_KIB = 36 << 10  # rings of receipts and decisions fill up first, 16 MiB each
SECONDS_MAX, FAULTS_MAX, RATE_MAX, CLIENTS_MAX = 3600, 1000, 2000, 16


@dataclasses.dataclass
class Planned:
    kind: str
    target: object  # a name, a pair of sites, words of the CLI
    at_s: float
    for_s: float = 0.0
    way: str = "both"
    words: dict = None  # of `with`
    through: str = None

    @property
    def title(self):
        target = self.target if isinstance(self.target, str) else " ".join(map(str, self.target))
        extra = "" if self.way == "both" else f" {self.way}"
        extra += "".join(f" {key}={value}" for key, value in (self.words or {}).items())
        return f"{self.kind} {target}{extra}"


@dataclasses.dataclass
class Load:
    entry: str
    rate: float
    model: str = "chat"
    streams: float = 0.2
    tenant: str = None
    since_s: float = 0.0
    prompt_tokens: int = 24
    output_tokens: int = 12
    timeout_s: float = 30.0


def read_move(row):
    """{fault: INDEX, within: 3s, share: 5%}: traffic leaves the target of a fault, or `node`."""
    fields(row, "moves", ("fault", "within", "share", "node"), ("fault", "within"))
    return {"fault": int(row["fault"]), "within_s": duration_s(row["within"]),
            "share": share(row.get("share", 0)), "node": row.get("node")}


EXPECT = {  # what can be expected, and how its value is read
    "failed": int,          # requests that failed unbegun without an excuse; 0 where not given
    "busy": int,            # answers of 429 among them that are allowed
    "slowest": duration_s,  # of all good answers
    "p99": duration_s,
    "served_by": dict,      # {node or region: at least so many answers}
    "moves": lambda rows: [read_move(row) for row in rows],
    "converges": duration_s,
    "committed": int,       # commands, at least
    "refused": int,         # at least so many answers of 4xx: rules that hold
    "memory": int,          # KiB that a process may grow by
    "alarms": int,          # lines in logs that are expected, such as rules_stopped
    "said": dict,           # {word: at least so many nodes have it in their logs}
}
DEFAULTS = {"failed": 0, "busy": 0, "converges": 30.0, "memory": MEMORY_KIB, "alarms": 0}


class Scenario:
    def __init__(self, value, name="scenario", seed=None):
        where = name
        fields(value, where, ("about", "topology", "seed", "seconds", "tenants", "load", "commands",
                              "faults", "chance", "expect", "lawless", "policies"),
               ("about", "topology", "seconds"))
        self.name, self.about = name, value["about"]
        self.seed = value.get("seed", 1) if seed is None else seed
        path = HERE.parent / "topologies" / f"{value['topology']}.yaml"
        check(path.exists(), where, f"no topology {value['topology']!r} in {path.parent}")
        self.topology = Topology.load(path)
        self.seconds = int(value["seconds"])
        check(1 <= self.seconds <= SECONDS_MAX, where, f"seconds: 1 to {SECONDS_MAX}")
        self.tenants = {}  # name: regions; none: all
        for tenant, row in value.get("tenants", {}).items():
            fields(row, f"{where}: tenants.{tenant}", ("regions",), ("regions",))
            self.tenants[tenant] = tuple(row["regions"])
        self.loads = [self.read_load(row, f"{where}: load[{at}]")
                      for at, row in enumerate(value.get("load", []))]
        self.clients = int(value.get("commands", 0))
        check(self.clients <= CLIENTS_MAX, where, f"commands: up to {CLIENTS_MAX} clients")
        self.policies = [HERE.parent / "policies" / f"{name}.yaml"
                         for name in value.get("policies", ())]
        for path in self.policies:
            check(path.exists(), where, f"no policy {path}")
        self.lawless = tuple(value.get("lawless", ()))
        for node in self.lawless:
            self.check_node(node, where)
        self.faults = [self.read_fault(row, f"{where}: faults[{at}]")
                       for at, row in enumerate(value.get("faults", []))]
        self.script_count = len(self.faults)
        if "chance" in value:
            self.faults += self.draw(value["chance"], f"{where}: chance")
        check(len(self.faults) <= FAULTS_MAX, where, f"more than {FAULTS_MAX} faults")
        self.expect = {**DEFAULTS, **self.read_expect(value.get("expect", {}), f"{where}: expect")}

    @classmethod
    def load(cls, path, seed=None):
        path = pathlib.Path(path)
        try:
            return cls(yaml.safe_load(path.read_text()), path.stem, seed)
        except yaml.YAMLError as problem:
            raise Bad(f"{path}: {problem}") from None

    # --- parts

    def check_node(self, name, where):
        check(name in self.topology.nodes, where, f"no node {name!r}")

    def read_load(self, row, where):
        fields(row, where, ("entry", "rate", "model", "streams", "tenant", "since", "prompt_tokens",
                            "output_tokens", "timeout"), ("entry", "rate"))
        self.check_node(row["entry"], where)
        check(0 < row["rate"] <= RATE_MAX, where, f"rate: up to {RATE_MAX} a second")
        tenant = row.get("tenant")
        check(tenant is None or tenant in self.tenants, where, f"no tenant {tenant!r}")
        changes = {key: row[key] for key in ("entry", "rate", "model", "tenant", "prompt_tokens",
                                             "output_tokens") if key in row}
        return Load(**changes, streams=share(row.get("streams", 0.2)),
                    since_s=duration_s(row.get("since", "0s")),
                    timeout_s=duration_s(row.get("timeout", "30s")))

    def read_fault(self, row, where):
        check(isinstance(row, dict), where, "not a map")
        kinds = [key for key in row if key not in WORDS]
        check(len(kinds) == 1 and kinds[0] in KINDS and "at" in row, where,
              f"a fault is `at` and one of {', '.join(KINDS)}; and {', '.join(WORDS[1:])}")
        kind, target = kinds[0], row[kinds[0]]
        self.check_target(kind, target, where)
        way = row.get("way", "both")
        check(way in WAYS.get(kind, ("both",)), where, f"{kind} has no way {way!r}")
        at_s, for_s = duration_s(row["at"]), duration_s(row.get("for", "0s"))
        planned = Planned(kind, target, at_s, for_s, way, row.get("with"), row.get("through"))
        check(planned.at_s + planned.for_s <= self.seconds, where, "ends after the load")
        check(kind not in ("engine", "shape", "clock", "slow_disk") or planned.words, where,
              f"{kind} needs `with`")
        check(kind != "reclaim" or (target not in WHO and planned.for_s > 2
                                    and self.topology.nodes[target].engine is not None), where,
              "reclaim: a node with an engine, for more than 2s")
        if kind == "order":
            self.check_node(planned.through, where)
        return planned

    def check_target(self, kind, target, where):
        what = KINDS[kind]
        if what == ENGINE or (what == NODE and target not in WHO):
            self.check_node(target, where)
            check(what == NODE or self.topology.nodes[target].engine is not None, where,
                  f"{target} has no engine")
        elif what == SITE:
            check(target in self.topology.sites, where, f"no site {target!r}")
        elif what == CABLE:
            pairs = [set(cable.ends) for cable in self.topology.cables]
            check(isinstance(target, list) and set(target) in pairs, where,
                  f"no cable between {target}")
        elif what == ORDER:
            check(isinstance(target, list), where, "order: [words, of, the, CLI]")

    def read_expect(self, row, where):
        fields(row, where, tuple(EXPECT))
        return {key: EXPECT[key](value) for key, value in row.items()}

    # --- chance

    def draw(self, row, where):
        """Faults of a seeded generator, one after another."""
        fields(row, where, ("from", "until", "calm", "lasts", "faults", "spare"),
               ("until", "faults"))
        for kind in row["faults"]:
            check(kind in BY_CHANCE, where, f"not by chance: {kind!r}: {', '.join(BY_CHANCE)}")
        for node in row.get("spare", ()):
            self.check_node(node, where)
        rng = random.Random(f"{self.seed} chance")
        calm, lasts = (tuple(map(duration_s, row.get(key, default).split("..")))
                       for key, default in (("calm", "1s..3s"), ("lasts", "1s..5s")))
        at_s, until_s = duration_s(row.get("from", "3s")), duration_s(row["until"])
        check(until_s <= self.seconds, where, "ends after the load")
        kinds, weights = zip(*row["faults"].items())
        found = []
        while True:
            at_s += rng.uniform(*calm)
            for_s = rng.uniform(*lasts)
            if at_s + for_s > until_s or len(found) >= FAULTS_MAX:
                return found
            kind = rng.choices(kinds, weights)[0]
            found.append(self.one_by_chance(rng, kind, at_s, for_s, row.get("spare", ())))
            at_s += for_s

    def one_by_chance(self, rng, kind, at_s, for_s, spare):
        nodes = [name for name in self.topology.nodes if name not in spare]
        homes = {self.topology.nodes[name].site for name in spare}
        what, words = KINDS[kind], None
        if what == NODE:
            target = rng.choice([*nodes, "leader"] if not spare else nodes)
        elif what == ENGINE:
            target = rng.choice([n for n in nodes if self.topology.nodes[n].engine is not None])
        elif what == CABLE:
            target = list(rng.choice(self.topology.cables).ends)
        else:
            target = rng.choice([site for site in self.topology.sites if site not in homes])
        if kind == "engine":
            words = rng.choice(ENGINE_FAULTS)
        elif kind == "shape":
            words = rng.choice(BAD_SHAPES)
        way = rng.choice(WAYS[kind]) if kind in WAYS and kind != "shape" else "both"
        return Planned(kind, target, at_s, for_s, way, words)
