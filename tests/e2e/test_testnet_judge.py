#!/usr/bin/python3
"""The testnet's judge finds what is planted, and only that: a good run with faults in it passes,
and each of many spoilt copies of it is caught for the right reason. No process is started."""

import copy
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "testnet/chaos"), str(ROOT / "testnet/wan")]
from faults import Fault
from judge import Judge, Seen
from runner import equal, main, test
from scenario import Bad, Scenario

BEGAN = 1000.0
FLEET = {
    "about": "planted", "topology": "fleet", "seconds": 60,
    "tenants": {"acme": {"regions": ["eu-west"]}},
    "load": [{"entry": "edge-3", "rate": 10}],
}
EXECUTORS = ("regional-1", "regional-2", "cloud-1", "edge-1")


class World:
    def __init__(self):
        self.scenario = Scenario(FLEET, "planted")
        self.good = self.make()

    def make(self):
        requests, computed = [], {name: [] for name in (*EXECUTORS, "cloud-2")}
        for number in range(200):
            tenant = "acme" if number % 4 == 0 else None
            node = "regional-1" if tenant else EXECUTORS[number % 4]
            mark, at = f"#{number:016x}", BEGAN + number * 0.3
            requests.append({
                "entry": "edge-3", "tenant": tenant, "stream": False, "at": at, "done": at + 0.2,
                "first": at + 0.1, "outcome": "ok", "begun": True, "status": 200, "mark": mark,
                "tokens": 12, "node": node, "id": f"r{number}"})
            computed[node].append({"mark": mark, "outcome": "done"})
        receipts = [{"id": row["id"], "tenant": "acme", "verified": True,
                     "hops": [{"name": "edge-3", "region": "eu-west"},
                              {"name": "regional-1", "region": "eu-west"}]}
                    for row in requests if row["tenant"]]
        samples = [{"at": BEGAN + second, "node": "edge-3", "pid": 7, "rss_kib": 9000, "fds": 40,
                    "sockets": 14} for second in range(63)]
        return Seen(scenario=self.scenario, began=BEGAN, ended=BEGAN + 60.5, requests=requests,
                    computed=computed, receipts=receipts, samples=samples, whole_s=0.5,
                    faults=[Fault("kill", "kill cloud-2", BEGAN + 20, BEGAN + 25, ("cloud-2",))],
                    commands={"lost": []}, committed=10)

    def found(self, spoil, lawless=(), policies=(), **expect):
        """What the verdict says of a spoilt copy."""
        seen = copy.deepcopy(self.good)
        spoil(seen)
        seen.scenario = copy.copy(self.scenario)
        seen.scenario.lawless, seen.scenario.policies = lawless, policies
        seen.scenario.expect = {**self.scenario.expect, **expect}
        return {what for what, problems in Judge(seen).verdict().items() if problems}

    def show(self):
        pass

    def close(self):
        pass


def fail(row, outcome="server_error", status=503):
    row.update(outcome=outcome, status=status, begun=status != 0, node="")


@test
def a_good_run_with_a_fault_in_it_passes(world):
    equal(world.found(lambda seen: None), set(), "found in a good run")


@test
def a_request_that_failed_though_somebody_could_answer_is_caught(world):
    for outcome, status in (("server_error", 503), ("refused", 0), ("timeout", 0), ("busy", 429),
                            ("reset", 0), ("rejected", 404)):
        equal(world.found(lambda seen: fail(seen.requests[71], outcome, status)), {"unserved"},
              outcome)


@test
def a_request_is_excused_where_nobody_could_answer_or_its_entry_was_hurt(world):
    def all_down(seen):
        fail(seen.requests[71])
        at = seen.requests[71]["at"]
        seen.faults.append(Fault("power", "power all", at - 1, at + 1, tuple(
            world.scenario.topology.nodes)))

    def entry_down(seen):
        fail(seen.requests[71], "refused", 0)
        at = seen.requests[71]["at"]
        seen.faults.append(Fault("kill", "kill edge-3", at - 1, at + 1, ("edge-3",)))

    def all_down_before(seen):
        all_down(seen)
        seen.faults[-1].ended = seen.requests[71]["at"] - 9.5
        seen.faults[-1].began = seen.requests[71]["at"] - 12

    def tenants_region_down(seen):
        fail(seen.requests[72])
        at = seen.requests[72]["at"]
        seen.faults.append(Fault("kill", "three", at - 1, at + 1,
                                 ("regional-1", "cloud-1", "edge-1")))

    def lawless_entry(seen):
        fail(seen.requests[72], "rejected", 403)

    equal(world.found(lawless_entry, lawless=("edge-3",)), set(), "its entry keeps no law")
    equal(world.found(lawless_entry), {"unserved"}, "a lawful entry")
    equal(world.found(all_down), set(), "all were down")
    equal(world.found(entry_down), set(), "its entry was down")
    equal(world.found(tenants_region_down), set(), "all that may hold it were down")
    equal(world.found(all_down_before), {"unserved"}, "all were back for long")

    def all_down_just_before(seen):
        all_down(seen)
        seen.faults[-1].ended = seen.requests[71]["at"] - 5

    equal(world.found(all_down_just_before), set(), "not known yet that they are back")


@test
def only_what_can_be_reached_is_a_candidate(world):
    def cut(seen, *cables):
        row = seen.requests[71]
        fail(row)
        seen.faults.append(Fault("cut", "cut", row["at"] - 1, row["at"] + 1, cables=tuple(
            (name, "both") for name in cables)))
        seen.faults.append(Fault("crash", "crash", row["at"] - 1, row["at"] + 1,
                                 engines=("regional-1",)))

    equal(world.found(lambda seen: cut(seen, "shop-rack-eu", "rack-eu-rack-us", "rack-eu-cloud")),
          set(), "every cable of its site was cut")
    equal(world.found(lambda seen: cut(seen, "rack-eu-rack-us")), {"unserved"},
          "the cloud was in reach")


@test
def an_answer_that_broke_off_without_a_cause_is_caught(world):
    def broken(seen, outcome):
        seen.requests[60].update(outcome=outcome)

    def with_cause(seen):
        broken(seen, "cut")
        at = seen.requests[60]["at"]
        seen.faults.append(Fault("kill", "kill", at - 0.1, at + 2, (seen.requests[60]["node"],)))

    def with_its_cable(seen):
        broken(seen, "cut")
        at = seen.requests[60]["at"]
        seen.faults.append(Fault("cut", "cut", at - 0.1, at + 2,
                                 cables=(("rack-eu-cloud", "both"),)))

    for outcome in ("cut", "reset", "error_event", "malformed"):
        equal(world.found(lambda seen: broken(seen, outcome)), {"broken"}, outcome)
    equal(world.found(with_cause), set(), "its executor was killed")
    equal(world.found(with_its_cable), set(), "a cable was cut")


@test
def an_answer_of_somebody_else_is_caught(world):
    def mixed(seen):
        seen.requests[5]["outcome"] = "mixed_up"

    def asked_twice(seen):
        seen.requests[5]["mark"] = seen.requests[9]["mark"]

    assert "mixed" in world.found(mixed) and "mixed" in world.found(asked_twice)


@test
def a_doubled_answer_is_caught(world):
    def doubled(seen):
        row = seen.requests[5]
        seen.computed["cloud-1"].append({"mark": row["mark"], "outcome": "done"})

    def at_a_fault(seen):
        row = seen.requests[70]  # while a node was down: asking again had a reason
        seen.computed["cloud-1"].append({"mark": row["mark"], "outcome": "done"})

    def nobody_computed(seen):
        seen.computed["regional-2"].pop(3)

    def another_computed(seen):
        seen.computed["cloud-2"].append(seen.computed["regional-2"].pop(3))

    def doubled_slowly(seen):
        doubled(seen)
        seen.requests[5]["done"] += 1

    def doubled_at_an_order(seen):
        doubled(seen)
        at = seen.requests[5]["at"]
        seen.faults.append(Fault("order", "order apply", at, at + 1))

    equal(world.found(doubled), {"doubled"}, "computed twice")
    equal(world.found(doubled_at_an_order), {"doubled"}, "an order is no reason")
    equal(world.found(doubled_slowly), {"doubled"}, "computed twice, slowly")
    equal(world.found(doubled_slowly, policies=("interactive",)), set(), "hedged")
    equal(world.found(at_a_fault), set(), "computed twice with a reason")
    equal(world.found(nobody_computed), {"doubled"}, "an answer from nowhere")
    equal(world.found(another_computed), {"doubled"}, "an answer in another's name")


@test
def a_breach_of_residency_is_caught_by_each_of_its_traces(world):
    def computed_abroad(seen):
        seen.computed["regional-2"].append({"mark": seen.requests[8]["mark"],
                                            "outcome": "abandoned"})

    def answered_abroad(seen):
        row = seen.requests[8]
        row["node"] = "regional-2"
        seen.computed["regional-2"].append({"mark": row["mark"], "outcome": "done"})

    def passed_through_abroad(seen):
        seen.receipts[2]["hops"].insert(1, {"name": "regional-2", "region": "us-east"})

    def refused_abroad(seen):
        seen.receipts[2]["hops"].append({"name": "regional-2", "region": "us-east",
                                         "reason": "residency"})

    equal(world.found(computed_abroad), {"residency"}, "computed")
    assert "residency" in world.found(answered_abroad)
    equal(world.found(passed_through_abroad), {"residency"}, "passed through")
    equal(world.found(refused_abroad), set(), "refused, as it should be")


@test
def a_receipt_that_is_not_valid_is_caught(world):
    def forged(seen):
        seen.receipts[1]["verified"] = False

    equal(world.found(forged), {"receipts"}, "a forged receipt")


@test
def a_lost_command_a_bad_end_and_a_fleet_apart_are_caught(world):
    def lost(seen):
        seen.commands["lost"] = ["epoch 7 is gone"]

    def apart(seen):
        seen.whole_s, seen.missing = None, "edge-1 does not see cloud-1"

    def ended(seen):
        seen.endings = ["edge-1: exit status -11"]

    def refused(seen):
        seen.orders = [("order apply", 3, "refused"), ("order apply", 4, "timed out")]

    equal(world.found(refused), {"orders"}, "an order that was refused")
    equal(world.found(lost), {"commands"}, "a dropped acknowledged command")
    equal(world.found(apart), {"whole"}, "not whole")
    equal(world.found(ended), {"endings"}, "a crash")

    def alarmed(seen):
        seen.alarms = ["edge-1: rules_stopped"]

    equal(world.found(alarmed), {"endings"}, "an alarm")
    equal(world.found(alarmed, alarms=1), set(), "an alarm that was expected")


@test
def growth_is_caught(world):
    def grows(seen):
        for row in seen.samples:
            row["rss_kib"] += int((row["at"] - BEGAN) * 16000)

    def restarted(seen):
        grows(seen)
        for row in seen.samples:
            row["pid"] = int(row["at"]) // 18

    def sockets(seen):
        seen.samples[-1]["sockets"] = 400

    equal(world.found(grows), {"flat"}, "memory")
    equal(world.found(restarted), set(), "processes too young to tell")
    equal(world.found(sockets), {"descriptors"}, "sockets")


@test
def what_was_expected_and_did_not_come_is_caught(world):
    def slow(seen):
        seen.requests[0]["done"] += 9

    equal(world.found(slow, slowest=5.0), {"expected"}, "a slow answer")
    equal(world.found(slow, slowest=10.0), set(), "not so slow")
    equal(world.found(lambda seen: None, served_by={"cloud-2": 1}), {"expected"}, "served by")
    equal(world.found(lambda seen: None, served_by={"eu-west": 100, "us-east": 20}), set(),
          "served by regions")
    equal(world.found(lambda seen: None, served_by={"us-east": 100}), {"expected"}, "a region")
    equal(world.found(lambda seen: None, committed=11), {"expected"}, "committed")
    equal(world.found(lambda seen: None, refused=1), {"expected"}, "refused")
    move = {"fault": 0, "within_s": 1.0, "share": 0.1}

    def stays(seen):
        seen.faults[0].planned, seen.faults[0].nodes = 0, ()
        seen.faults[0].engines = ("regional-1",)

    def unmoved(seen):
        seen.faults[0].planned = 0

    equal(world.found(stays, moves=[move]), {"moves"}, "traffic that stays")
    equal(world.found(unmoved, moves=[move]), set(), "none went there")
    equal(world.found(unmoved, moves=[{**move, "node": "cloud-1"}]), {"moves"}, "of a node")

    def told(seen):
        seen.said = {"reclaimed": 1}

    equal(world.found(told, said={"reclaimed": 2}), {"expected"}, "said by too few")
    equal(world.found(told, said={"reclaimed": 1}), set(), "said by as many")


@test
def a_node_that_is_still_there_when_its_machine_goes_is_caught(world):
    def late(seen):
        seen.faults[0].problem = "cloud-2 had not drained 10.0 s after the notice"

    equal(world.found(late), {"in_time"}, "late")


@test
def a_scenario_that_is_wrong_says_where(_):
    for change, words in (({"topology": "none"}, "no topology"),
                          ({"faults": [{"at": "1s", "kil": "edge-1"}]}, "a fault is"),
                          ({"faults": [{"at": "1s", "clock": "edge-1", "for": "2s"}]}, "`with`"),
                          ({"faults": [{"at": "1s", "reclaim": "edge-1", "for": "1s"}]}, "2s"),
                          ({"faults": [{"at": "1s", "kill": "edge-9"}]}, "no node"),
                          ({"faults": [{"at": "50s", "kill": "edge-1", "for": "20s"}]},
                           "ends after"),
                          ({"faults": [{"at": "1s", "cut": ["shop", "spot"]}]}, "no cable"),
                          ({"faults": [{"at": "1s", "crash": "edge-3"}]}, "no engine"),
                          ({"load": [{"entry": "edge-3", "rate": 1, "tenant": "x"}]}, "no tenant"),
                          ({"expect": {"fast": 1}}, "unknown 'fast'"),
                          ({"chance": {"until": "9s", "faults": {"power": 1}}}, "not by chance")):
        try:
            Scenario({**FLEET, **change})
        except Bad as problem:
            assert words in str(problem), f"{problem} does not say {words}"
        else:
            raise AssertionError(f"taken: {change}")


@test
def the_scenarios_that_we_ship_can_be_read_and_chance_repeats(_):
    folder = ROOT / "testnet/chaos/scenarios"
    for path in folder.glob("*.yaml"):
        Scenario.load(path)
    same, again, other = (Scenario.load(folder / "random.yaml", seed) for seed in (5, 5, 6))
    equal(same.faults, again.faults, "the same seed")
    assert same.faults != other.faults and len(same.faults) > 3, "another seed, the same faults"


if __name__ == "__main__":
    main(World)
