"""Judges a run by what was seen of it, and nothing else: requests, what engines computed, receipts,
faults, samples, commands. Pure, so that violations can be planted: test_testnet_judge.py does.

What a node owes. A request that fails before a byte of its answer is a violation, unless its entry
was hurt meanwhile, or no engine that may hold its data was well, and within reach of the entry,
from KNOWN_S before it was sent until it ended. One that breaks off later is a violation unless its
entry, its executor or something between them was hurt.

Times are wall clock. A fault hurts from `began` to `ended`; its traces last GRACE_S."""

import collections
import dataclasses
import math

KNOWN_S = 8.0   # after a fault: until everybody knows that somebody is back
GRACE_S = 1.0   # clocks of processes beside each other, and what was under way
HEDGE_S = 0.9   # testnet/policies: a second place is asked after 1 s


@dataclasses.dataclass
class Seen:
    """All of a run."""

    scenario: object
    began: float
    ended: float
    requests: list
    computed: dict    # {node: rows of its engine's history}
    receipts: list    # {"id", "tenant", "hops": [{"name", "region"}], "verified": bool | None}
    faults: list
    samples: list = dataclasses.field(default_factory=list)
    commands: dict = dataclasses.field(default_factory=dict)  # what soak_verdict found
    committed: int = 0
    whole_s: float = None  # after the last fault; None: never, and `missing` says what
    missing: str = None
    endings: list = dataclasses.field(default_factory=list)   # what went wrong in processes
    alarms: list = dataclasses.field(default_factory=list)
    orders: list = dataclasses.field(default_factory=list)    # (title, exit status, what it said)
    said: dict = dataclasses.field(default_factory=dict)      # {expected word: nodes with it}


class Judge:
    def __init__(self, seen):
        self.seen, self.topology = seen, seen.scenario.topology
        self.expect = seen.scenario.expect
        self.region = {name: self.topology.sites[node.site].region
                       for name, node in self.topology.nodes.items()}
        self.excused = collections.Counter()

    def verdict(self):
        """{what was looked at: what is wrong}"""
        return {name.removeprefix("check_"): list(getattr(self, name)())
                for name in sorted(dir(self)) if name.startswith("check_")}

    # --- who was well

    def hurting(self, since, until):
        return [f for f in self.seen.faults if f.kind != "order"
                and f.began - GRACE_S < until and (f.ended or math.inf) + GRACE_S > since]

    def well(self, since, until):
        """(nodes that were down or silent, engines that were unwell, cables that were cut)"""
        nodes, engines, cables = set(), set(), set()
        for fault in self.hurting(since, until):
            nodes.update(fault.nodes)
            engines.update(fault.engines)
            cables.update(name for name, _ in fault.cables)
        return nodes, engines, cables

    def reach(self, site, cut):
        """Sites that cables still lead to."""
        found, waiting = {site}, [site]
        while waiting:
            here = waiting.pop()
            for cable in self.topology.cables:
                if here in cable.ends and cable.name not in cut:
                    there = cable.ends[1 - cable.ends.index(here)]
                    if there not in found:
                        found.add(there)
                        waiting.append(there)
        return found

    def routed(self, one, other, cut):
        """Is every cable of the route between two sites whole? Routers know of one route only."""
        here = one
        while here != other:
            step = next((cable for net, cable in self.topology.routes(here)
                         if net == self.topology.sites[other].net), None)
            if step is None:  # behind NAT: as it came
                return self.routed(other, one, cut) if here == one else False
            if step.name in cut:
                return False
            here = step.ends[1 - step.ends.index(here)]
        return True

    def allowed(self, tenant, node):
        regions = self.seen.scenario.tenants.get(tenant, ())
        return not regions or self.region[node] in regions

    def candidates(self, row):
        """Engines that were well and could be reached, all the time that it took."""
        nodes, engines, cut = self.well(row["at"] - KNOWN_S, row["done"])
        home = self.topology.nodes[row["entry"]].site
        return [name for name, node in self.topology.nodes.items()
                if node.engine is not None and name not in nodes and name not in engines
                and self.allowed(row["tenant"], name) and self.routed(home, node.site, cut)]

    def entry_is_hurt(self, row):
        return row["entry"] in self.well(row["at"], row["done"])[0]

    # --- requests

    def failures(self):
        return [r for r in self.seen.requests
                if r["outcome"] not in ("ok", "abandoned", "mixed_up")]

    def check_unserved(self):
        """Failed before they began, though somebody could have answered."""
        found, busy = [], 0
        for row in self.failures():
            if row["begun"] and row["status"] == 200:
                continue
            if self.entry_is_hurt(row):
                self.excused["entry was hurt"] += 1
            elif row["outcome"] == "rejected" and not self.allowed(row["tenant"], row["entry"]):
                self.excused["entry may not hold it"] += 1
            elif row["outcome"] == "rejected" and row["entry"] in self.seen.scenario.lawless:
                self.excused["its entry keeps no law"] += 1
            elif not (well := self.candidates(row)):
                self.excused["nobody could answer"] += 1
            elif row["outcome"] == "busy" and busy < self.expect["busy"]:
                busy += 1
                self.excused["busy"] += 1
            else:
                found.append(f"{told(row, self.seen.began)}: {', '.join(well)} could have")
        if len(found) > self.expect["failed"]:
            yield from found

    def check_broken(self):
        """Broke off in the middle, though nothing on its way was hurt."""
        for row in self.failures():
            if not row["begun"] or row["status"] != 200:
                continue
            nodes, engines, cut = self.well(row["at"], row["done"])
            on_the_way = {row["entry"], row["node"]} - {""}
            if on_the_way & (nodes | engines):
                self.excused["broke off at a fault"] += 1
            elif cut or not row["node"]:
                self.excused["broke off with a cable"] += 1
            else:
                yield f"{told(row, self.seen.began)}: nothing on its way was hurt"

    def check_mixed(self):
        for row in self.seen.requests:
            if row["outcome"] == "mixed_up":
                yield f"{told(row, self.seen.began)}: somebody else's answer, or twice its own"
        marks = collections.Counter(row["mark"] for row in self.seen.requests)
        yield from (f"{mark} was asked {count} times" for mark, count in marks.items() if count > 1)

    def may_be_hedged(self, row):
        """A policy of testnet/policies asks a second place when the first is late."""
        return bool(self.seen.scenario.policies) and row["done"] - row["at"] > HEDGE_S

    def check_doubled(self):
        """Computed to the end twice, though nothing was hurt that would be a reason to ask again;
        and what no engine computed, though it was answered."""
        done = collections.defaultdict(list)
        for node, rows in self.seen.computed.items():
            for row in rows:
                if row["outcome"] == "done":
                    done[row["mark"]].append(node)
        crashed = {name for fault in self.seen.faults for name in fault.engines}
        for row in self.seen.requests:
            where = done.get(row["mark"], [])
            if len(where) > 1 and not self.may_be_hedged(row) \
                    and not self.hurting(row["at"], row["done"]):
                yield f"{told(row, self.seen.began)}: computed at {' and '.join(where)}"
            if row["outcome"] == "ok" and row["node"] not in where \
                    and row["node"] not in crashed:
                yield (f"{told(row, self.seen.began)}: answered in the name of {row['node']}, "
                       f"computed at {where or 'no engine'}")

    def check_residency(self):
        """Nobody outside a tenant's regions has computed, passed on or signed for its requests."""
        tenant_of = {row["mark"]: row["tenant"] for row in self.seen.requests if row["tenant"]}
        for node, rows in self.seen.computed.items():
            for row in rows:
                tenant = tenant_of.get(row["mark"])
                if tenant and not self.allowed(tenant, node):
                    yield f"{row['mark']} of {tenant} was {row['outcome']} at {node}"
        for row in self.seen.requests:
            if row["tenant"] and row["node"] in self.region and \
                    not self.allowed(row["tenant"], row["node"]) and row["outcome"] == "ok":
                yield f"{told(row, self.seen.began)}: of {row['tenant']}, answered by {row['node']}"
        for receipt in self.seen.receipts:
            regions = self.seen.scenario.tenants.get(receipt["tenant"], ())
            away = [hop for hop in receipt["hops"] if regions and hop["region"] not in regions
                    and hop.get("reason") not in ("residency", "tenant")]
            yield from (f"receipt {receipt['id']} of {receipt['tenant']}: {hop['name']} in "
                        f"{hop['region']}" for hop in away)

    def check_receipts(self):
        for receipt in self.seen.receipts:
            if receipt["verified"] is False:
                yield f"receipt {receipt['id']} is not valid"

    # --- the rest

    def check_commands(self):
        for what, problems in self.seen.commands.items():
            yield from (f"{what}: {problem}" for problem in problems)

    def check_orders(self):
        """Done, or not known to be done: 4."""
        for title, code, said in self.seen.orders:
            if code not in (0, 4):
                yield f"{title}: exit status {code}: {said}"

    def check_in_time(self):
        """What a victim had to do before it was too late."""
        yield from (fault.problem for fault in self.seen.faults if fault.problem)

    def check_whole(self):
        bound = self.expect["converges"]
        if self.seen.whole_s is None:
            yield f"not whole {bound:.0f} s after the last fault: {self.seen.missing}"

    def check_flat(self):
        """Memory of one process, from its first seconds under load to the end."""
        by_process = collections.defaultdict(list)
        for row in self.seen.samples:
            by_process[row["node"], row["pid"]].append(row)
        for (node, _), rows in by_process.items():
            early = [r["rss_kib"] for r in rows if r["at"] > max(rows[0]["at"] + 5,
                                                                 self.seen.began + 5)][:5]
            if rows[-1]["at"] - rows[0]["at"] < 20 or len(early) < 5:
                continue
            late = min(r["rss_kib"] for r in rows[-5:])
            if late - max(early) > self.expect["memory"]:
                yield f"{node} grew from {max(early)} to {late} KiB"

    def check_descriptors(self):
        """At the end, with no client left: two links to each peer at most, and its own."""
        last = {row["node"]: row for row in self.seen.samples if row["at"] > self.seen.ended}
        most = 12 + 2 * len(self.topology.nodes)
        for node, row in last.items():
            if row["sockets"] > most:
                yield f"{node} ends with {row['sockets']} sockets, {most} at most"

    def check_endings(self):
        yield from self.seen.endings
        if len(self.seen.alarms) > self.expect["alarms"]:
            yield from self.seen.alarms

    # --- expectations

    def good(self, since=-math.inf, until=math.inf):
        return [r for r in self.seen.requests if r["outcome"] == "ok" and since <= r["at"] < until]

    def check_expected(self):
        slowest = max((r["done"] - r["at"] for r in self.good()), default=0)
        if slowest > self.expect.get("slowest", math.inf):
            yield f"the slowest good answer took {slowest:.1f} s"
        p99 = share_of([r["done"] - r["at"] for r in self.good()], 0.99)
        if p99 > self.expect.get("p99", math.inf):
            yield f"one in a hundred took {p99:.2f} s or more"
        served = collections.Counter(r["node"] for r in self.good())
        served.update([self.region[r["node"]] for r in self.good() if r["node"] in self.region])
        for node, least in self.expect.get("served_by", {}).items():
            if served[node] < least:
                yield f"{node} answered {served[node]}, at least {least} were expected"
        if self.seen.committed < self.expect.get("committed", 0):
            yield f"{self.seen.committed} commands committed"
        refused = sum(r["outcome"] == "rejected" for r in self.seen.requests)
        if refused < self.expect.get("refused", 0):
            yield f"{refused} requests refused, at least {self.expect['refused']} were expected"
        for word, least in self.expect.get("said", {}).items():
            if self.seen.said.get(word, 0) < least:
                yield f"{word}: said by {self.seen.said.get(word, 0)} nodes, {least} were expected"
        if self.seen.scenario.loads and not self.good():
            yield "no good answer at all"

    def check_moves(self):
        """Traffic leaves who is unwell."""
        for move in self.expect.get("moves", ()):
            faults = [f for f in self.seen.faults if f.planned == move["fault"]]
            for fault in faults:
                hurt = {move["node"]} if move.get("node") else {*fault.nodes, *fault.engines}
                sent = self.good(fault.began + move["within_s"], fault.ended)
                sent += [r for r in self.failures()
                         if fault.began + move["within_s"] <= r["at"] < fault.ended]
                there = sum(r["node"] in hurt for r in sent)
                if sent and there / len(sent) > move["share"]:
                    yield (f"{fault.title}: {there} of {len(sent)} answers still came from there "
                           f"after {move['within_s']} s")


def told(row, began):
    return (f"{row['at'] - began:.2f} s {row['entry']} {row['id']} {row['outcome']} "
            f"{row['status'] or ''} after {row['done'] - row['at']:.2f} s")


def share_of(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] if values else 0.0
