#!/usr/bin/python3
"""The rules of a mesh while its voters are killed, stopped and wiped under load, for a short while:
no acknowledged command is lost, what clients saw is linearizable, all replicas end alike. And the
verdict itself: it finds what is planted. The long version, with partitions, is tests/soak/rules."""

import copy
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from runner import equal, main, note, test
from soak_verdict import author_of, problems_of
from soak_world import SoakWorld

SEED, SECONDS = 4, 40


class World(SoakWorld):
    def __init__(self):
        super().__init__(3, SEED, client_count=4)

    def told(self):
        """Copies of what was seen, to be spoilt."""
        watchers = [types.SimpleNamespace(name=w.name, changes=dict(w.changes), problems=[])
                    for w in self.work.watchers]
        records = copy.deepcopy(self.history.records)
        return types.SimpleNamespace(records=records, final=records[-len(self.work.final):],
                                     watchers=watchers)

    def verdict(self, told):
        authors = {c.name: author_of(c.admin) for c in self.work.clients}
        found = problems_of(told.records, told.final, told.watchers, authors,
                            self.result["epoch"])
        return {what for what, problems in found.items() if problems}


@test(limit_s=240)
def commands_and_reads_go_on_while_voters_are_killed_stopped_and_wiped(world):
    world.run(SECONDS)
    result = world.result
    for what in ("operations", "faults", "gaps", "commit_after_leader_kill_s", "write_s",
                 "votes_again_after_wipe_s"):
        note(f"{what}: {result[what]}")
    assert result["operations"].get("cas committed", 0) > 50, "hardly any load"
    assert result["operations"].get("read read", 0) > 50, "hardly any load"
    assert sum(result["faults"].values()) >= 3, "hardly any fault"


@test
def no_acknowledged_command_is_lost_and_each_key_is_a_register(world):
    for what, problems in world.problems.items():
        equal(problems[:3], [], what)


@test
def the_verdict_finds_what_is_planted(world):
    equal(world.verdict(world.told()), set(), "nothing planted")
    for plant, expected in ((lose_a_change, "lost"), (tell_of_another_epoch, "lost"),
                            (go_back_in_time, "order"), (read_what_nobody_wrote, "sources"),
                            (read_what_never_happened, "sources"), (read_stale, "linearizable"),
                            (refuse_wrongly, "linearizable"), (end_with_less, "final"),
                            (two_values_at_once, "revisions"), (watch_with_a_gap, "watch")):
        told = world.told()
        plant(told)
        found = world.verdict(told)
        assert expected in found, f"{plant.__name__} was not seen as {expected}: {found}"


def of(told, outcome):
    """Some in the middle of the history, by the time of their return."""
    found = [r for r in told.records if r.outcome == outcome and r.value is not None]
    return sorted(found, key=lambda r: r.returned)[len(found) // 3:]


def lose_a_change(told):
    for watcher in told.watchers:
        watcher.changes[of(told, "committed")[0].rev] = []


def tell_of_another_epoch(told):
    of(told, "committed")[0].rev += 1


def go_back_in_time(told):
    first, *_, last = of(told, "committed")
    first.rev, last.rev = last.rev, first.rev


def read_what_nobody_wrote(told):
    of(told, "read")[0].value = "nobody's"


def read_what_never_happened(told):
    seen = {r.value for r in told.records if r.outcome == "read"}
    next(r for r in of(told, "committed") if r.value in seen).outcome = "failed"


def read_stale(told):
    last = of(told, "read")[-1]
    old = next(r for r in told.records if r.outcome == "read" and r.key == last.key
               and r.value is not None and r.rev != last.rev)
    last.value, last.rev = old.value, old.rev


def refuse_wrongly(told):
    kind = [r for r in of(told, "committed") if r.kind == "cas"]
    kind[0].outcome = "conflict"


def end_with_less(told):
    told.final[0].rev -= 1


def two_values_at_once(told):
    first, second = of(told, "committed")[:2]
    first.rev = second.rev


def watch_with_a_gap(told):
    del told.watchers[0].changes[5]


if __name__ == "__main__":
    main(World)
