"""Is a history of one register with compare-and-set linearizable: is there an order of its
operations, each somewhere between its call and its return, in which a register would have given
just these answers? Called by soak_verdict.py, one key at a time; test_linear.py shows that it sees
violations.

Events are taken in the order of time, with the set of all worlds that are still possible: the
register's value, and which of the operations under way have already happened. An operation happens
as late as it can, at the return of one that needs it; those that only look, as early as they can.
A return that no world survives is the violation."""

import dataclasses
import math

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


@dataclasses.dataclass
class Op:
    """read: found `value`. put: wrote `value`. cas: wrote `value` if the register had `expected`;
    REFUSED: it had not. UNKNOWN: a put or cas that happened before `returned`, or never."""

    kind: str
    value: object = None
    expected: object = None
    result: str = OK
    invoked: float = 0.0
    returned: float = math.inf
    who: object = None

    def only_looks(self):
        return self.kind == "read" or self.result == REFUSED

    def applied(self, state):
        """(may it happen in this state, the state after it)"""
        if self.kind == "read":
            return state == self.value, state
        if self.result == REFUSED:
            return state != self.expected, state
        if self.kind == "cas":
            return state == self.expected, self.value
        return True, self.value

    def __str__(self):
        what = {"read": f"read {self.value}", "put": f"put {self.value}",
                "cas": f"cas {self.expected} -> {self.value}"}[self.kind]
        return f"{self.invoked:.4f} .. {self.returned:.4f} {self.who}: {what} {self.result}"


class Worlds:
    """What may be so: pairs of the value and the operations under way that have happened."""

    def __init__(self, ops, initial):
        self.ops, self.open = ops, set()
        self.all = {(initial, frozenset())}

    def looked(self, state, done):
        """With all done that only look and may look now: later is never better for them."""
        more = [i for i in self.open if i not in done and self.ops[i].only_looks()
                and self.ops[i].applied(state)[0]]
        return state, done.union(more)

    def call(self, i):
        self.open.add(i)
        if self.ops[i].only_looks():
            self.all = {self.looked(*world) for world in self.all}

    def until(self, i, world):
        """The worlds in which operation i has just happened, by all orders of those before it."""
        seen, stack, found = {world}, [world], set()
        while stack:
            state, done = stack.pop()
            if i in done:
                found.add((state, done))
                continue
            for j in self.open - done:
                may, after = self.ops[j].applied(state)
                if not may or self.ops[j].only_looks():
                    continue
                next_world = self.looked(after, done | {j})
                if next_world not in seen:
                    seen.add(next_world)
                    stack.append(next_world)
        return found

    def end(self, i):
        """False: nothing is possible any more; the worlds stay as they were, to be shown."""
        after = set()
        for state, done in self.all:
            after |= self.until(i, (state, done))
            if self.ops[i].result == UNKNOWN:
                after.add((state, done))
        if not after:
            return False
        self.open.remove(i)
        self.all = {(state, done - {i}) for state, done in after}
        return True


def events_of(ops):
    """(time, is_return, number) in order; who is called when another returns overlaps it."""
    for i, op in enumerate(ops):
        yield op.invoked, False, i
        if op.returned != math.inf:
            yield op.returned, True, i


def violation(ops, initial=None):
    """None: linearizable. Else what cannot be, in words."""
    worlds = Worlds(ops, initial)
    for _, is_return, i in sorted(events_of(ops)):
        if not is_return:
            worlds.call(i)
        elif not worlds.end(i):
            return describe(worlds, i)
    return None


def describe(worlds, i):
    states = sorted({str(state) for state, _ in worlds.all})
    near = [op for op in worlds.ops if op.invoked <= worlds.ops[i].returned]
    near.sort(key=lambda op: op.returned)
    lines = [f"impossible: {worlds.ops[i]}", f"  possible values before: {', '.join(states)}",
             *(f"  open: {worlds.ops[j]}" for j in sorted(worlds.open) if j != i)]
    before = [op for op in near if op.returned < worlds.ops[i].returned][-8:]
    return "\n".join([*lines, *(f"  before: {op}" for op in before)])
