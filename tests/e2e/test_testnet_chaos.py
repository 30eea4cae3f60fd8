#!/usr/bin/python3
"""The short set of the testnet's scenarios (testnet/chaos/quick): real nodes in network namespaces,
killed, cut apart, attacked, by script and by chance, and everything judged. One of them has a
breach of residency planted, which must be caught. Needs root. The long ones: testnet/README.md."""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / path) for path in ("tests/support", "testnet/wan", "testnet/chaos")]
import mesh
from fleet import missing_program
from netns import why_not
from report import page, summary
from run import Run
from runner import SKIPPED, equal, main, note, test
from scenario import Scenario

QUICK = ROOT / "testnet/chaos/quick"
IS_SANITIZED = b"__asan_init" in pathlib.Path(mesh.GRAPEVINE).read_bytes()
SEED = int(os.environ.get("GV_CHAOS_SEED", "1"))


class World:
    """Each scenario has its own."""

    def go(self, name, seed=SEED):
        scenario = Scenario.load(QUICK / f"{name}.yaml", seed)
        if IS_SANITIZED:  # its allocator keeps what is freed
            scenario.expect["memory"] = 1 << 20
        run = Run(scenario, lambda text: print(f"      {text}", flush=True))
        run.go()
        for line in summary(run).splitlines():
            note(line)
        assert page(run).startswith("<!doctype html>") and scenario.name in page(run)
        return run

    def passes(self, name, seed=SEED):
        run = self.go(name, seed)
        equal({what: found[:3] for what, found in run.verdict.items() if found}, {},
              f"found in {name} with seed {seed}")

    def show(self):
        pass

    def close(self):
        pass


@test(limit_s=120)
def leaders_and_executors_are_killed_and_nothing_is_lost(world):
    world.passes("killed")


@test(limit_s=120)
def disks_are_full_clocks_jump_and_machines_are_taken_away(world):
    world.passes("machines")


@test(limit_s=120)
def regions_cut_apart_serve_on_and_meet_again(world):
    world.passes("cut")


@test(limit_s=120)
def a_lawless_node_finds_nobody_abroad_who_would_take_its_data(world):
    world.passes("residency")


@test(limit_s=120)
def a_breach_of_residency_is_caught(world):
    run = world.go("breach")
    wrong = {what for what, found in run.verdict.items() if found}
    equal(wrong, {"residency"}, "what was found wrong")
    run.fleet.forget()


@test(limit_s=120)
def chance_finds_nothing(world):
    world.passes("random")


if __name__ == "__main__":
    if reason := why_not() or missing_program():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    main(World)
