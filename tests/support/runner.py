"""Runs the end-to-end tests of one file: functions marked @test, in order, each bounded in time,
against one world that they share; then closes the world, which has its own say on what was left
behind. `test_x.py WORD` runs only tests whose name has the word in it. Called by tests/e2e/*.py."""

import contextlib
import os
import signal
import sys
import time
import traceback

SKIPPED = 77  # what ctest takes for "skipped"
_tests = []


class TookTooLong(BaseException):
    """Not an Exception: no test may swallow it."""


class Skip(Exception):
    """This test cannot be run here; its text says why."""


def test(function=None, *, limit_s=60):
    """Marks a test. Its name is a sentence; it takes the world as its only argument."""
    if function is None:
        return lambda inner: test(inner, limit_s=limit_s)
    _tests.append((function, limit_s))
    return function


@contextlib.contextmanager
def bounded(seconds):
    def too_long(*_):
        raise TookTooLong(f"more than {seconds} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def note(text):
    """A line in the report: something measured, worth reading when all is well too."""
    print(f"        {text}", flush=True)


def eventually(check, what, timeout_s=10, step_s=0.05):
    """Returns the first true answer of `check`; fails with `what` and the last answer."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what} (last seen: {answer!r})")
        time.sleep(step_s)


def equal(found, expected, what):
    assert found == expected, f"{what}: expected {expected!r}, found {found!r}"


def attempt(name, limit_s, call):
    started = time.monotonic()
    problem = None
    try:
        with bounded(limit_s):
            call()
        verdict = "ok"
    except Skip as why:
        verdict = f"skip ({why})"
    except (Exception, TookTooLong) as caught:  # noqa: BLE001 - a test may fail in any way
        verdict, problem = "FAILED", caught
    print(f"{verdict:>6}  {name}  ({time.monotonic() - started:.1f} s)", flush=True)
    if problem:
        traceback.print_exception(problem, file=sys.stdout)
    return verdict


def main(open_world):
    """Runs the file's tests in the world that `open_world()` makes; exits with the verdict."""
    words = [word.replace(" ", "_") for word in sys.argv[1:]]
    chosen = [(function, limit) for function, limit in _tests
              if not words or any(word in function.__name__ for word in words)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    world = None
    verdicts = []

    def opening():
        nonlocal world
        world = open_world()

    try:
        verdicts.append(attempt("the world is set up", 120, opening))
        if world is not None:
            for function, limit_s in chosen:
                name = function.__name__.replace("_", " ")
                verdicts.append(attempt(name, limit_s, lambda: function(world)))
                if verdicts[-1] == "FAILED":
                    world.show()
    finally:
        if world is not None:
            verdicts.append(attempt("everything ends well and nothing leaks", 90, world.close))
    failed = verdicts.count("FAILED")
    skipped = [verdict for verdict in verdicts if verdict.startswith("skip")]
    print(f"{'FAILED' if failed else 'PASSED'}: {len(verdicts) - failed} of {len(verdicts)} in "
          f"{time.monotonic() - started:.1f} s", flush=True)
    if failed:
        sys.exit(1)
    sys.exit(SKIPPED if chosen and len(skipped) >= len(chosen) else 0)


def environment(name, default):
    return os.environ.get(name) or default
