"""Tests of linear.py: planted violations, what must be accepted, and many small random histories
whose verdict is found by trying all orders. Run by ctest as unit/support/test_linear."""

import itertools
import math
import random
import unittest

from linear import OK, REFUSED, UNKNOWN, Op, violation


def read(value, invoked, returned, **options):
    return Op("read", value, invoked=invoked, returned=returned, **options)


def put(value, invoked, returned, result=OK):
    return Op("put", value, invoked=invoked, returned=returned, result=result)


def cas(expected, value, invoked, returned, result=OK):
    return Op("cas", value, expected, result, invoked, returned)


def by_all_orders(ops):
    """Slow and plain: is there an order of all, or of all but some unknown ones?"""
    certain = [op for op in ops if op.result != UNKNOWN]
    doubtful = [op for op in ops if op.result == UNKNOWN]
    for count in range(len(doubtful) + 1):
        for some in itertools.combinations(doubtful, count):
            for order in itertools.permutations([*certain, *some]):
                if is_timely(order) and is_lawful(order):
                    return True
    return False


def is_timely(order):
    return not any(later.returned < earlier.invoked
                   for i, earlier in enumerate(order) for later in order[i + 1:])


def is_lawful(order):
    state = None
    for op in order:
        may, state = op.applied(state)
        if not may:
            return False
    return True


def chance_history(rng):
    """Half of them as a register would answer, half with an answer from nowhere."""
    clock, state, ops = 0, None, []
    values = [None, "a", "b", "c"]
    for _ in range(rng.randrange(2, 7)):
        start = clock + rng.randrange(-6, 3)
        point = max(clock, start)
        op = Op(rng.choice(["read", "put", "cas"]), rng.choice(values[1:]), rng.choice(values),
                OK, start, point + rng.randrange(0, 6))
        if op.kind == "read":
            op.value = state
        elif op.kind == "cas" and state != op.expected:
            op.result = REFUSED
        if op.result == OK and op.kind != "read":
            happens = rng.random() < 0.8
            op.result = OK if happens and rng.random() < 0.8 else UNKNOWN
            if op.result == UNKNOWN and rng.random() < 0.5:
                op.returned = math.inf
            state = op.value if happens else state
        ops.append(op)
        clock = point + 1
    if rng.random() < 0.5:
        wrong = rng.choice(ops)
        if wrong.kind == "cas" and wrong.result != UNKNOWN:
            wrong.result = REFUSED if wrong.result == OK else OK
        else:
            wrong.value = rng.choice(values)
    rng.shuffle(ops)
    return ops


class Planted(unittest.TestCase):
    def seen(self, *ops):
        self.assertIsNotNone(violation(list(ops)))
        self.assertFalse(by_all_orders(ops))

    def test_a_stale_read(self):
        self.seen(put("a", 0, 1), put("b", 2, 3), read("a", 4, 5))

    def test_a_read_of_what_was_never_written(self):
        self.seen(put("a", 0, 1), read("z", 2, 3))

    def test_an_acknowledged_write_that_is_lost(self):
        self.seen(cas(None, "a", 0, 1), read(None, 2, 3))

    def test_two_that_compared_with_the_same_value_and_both_won(self):
        self.seen(put("a", 0, 1), cas("a", "b", 2, 5), cas("a", "c", 3, 6))

    def test_a_refusal_although_the_value_was_the_expected_one(self):
        self.seen(put("a", 0, 1), cas("a", "b", 2, 3, REFUSED))

    def test_a_success_although_it_was_another(self):
        self.seen(put("a", 0, 1), cas("b", "c", 2, 3))

    def test_two_reads_that_see_a_write_and_then_do_not(self):
        self.seen(put("a", 0, 1), put("b", 2, 9), read("b", 3, 4), read("a", 5, 6))

    def test_an_unknown_one_that_happened_and_then_did_not(self):
        self.seen(put("a", 0, 1), cas("a", "b", 2, math.inf, UNKNOWN), read("b", 3, 4),
                  read("a", 5, 6))

    def test_an_unknown_one_that_happened_twice(self):
        self.seen(put("a", 0, math.inf, UNKNOWN), read("a", 1, 2), put("b", 3, 4),
                  read("a", 5, 6))

    def test_an_unknown_one_that_happened_after_its_last_chance(self):
        self.seen(put("a", 0, 1), cas("a", "b", 2, 4, UNKNOWN), read("a", 5, 6), read("b", 7, 8))

    def test_values_that_went_back(self):
        self.seen(put("a", 0, 1), put("b", 2, 3), put("c", 4, 5), read("c", 6, 7),
                  cas("b", "d", 8, 9))


class Accepted(unittest.TestCase):
    def fine(self, *ops):
        self.assertIsNone(violation(list(ops)))
        self.assertTrue(by_all_orders(ops))

    def test_a_read_beside_a_write_may_see_either(self):
        for value in ("a", "b"):
            self.fine(put("a", 0, 1), put("b", 2, 9), read(value, 3, 4))

    def test_an_unknown_one_that_never_happens(self):
        self.fine(put("a", 0, 1), cas("a", "b", 2, math.inf, UNKNOWN), read("a", 8, 9))

    def test_an_unknown_one_that_happens_late(self):
        self.fine(put("a", 0, 1), cas("a", "b", 2, math.inf, UNKNOWN), read("a", 5, 6),
                  read("b", 7, 8))

    def test_a_refusal_by_a_value_that_came_and_went(self):
        self.fine(put("a", 0, 1), put("b", 2, 9), put("a", 3, 10), cas("a", "c", 4, 5, REFUSED),
                  read("a", 11, 12))

    def test_two_that_touch_overlap(self):
        self.fine(put("a", 0, 5), read(None, 5, 6))


class Chance(unittest.TestCase):
    def test_the_verdict_is_that_of_trying_all_orders(self):
        rng, verdicts = random.Random(5), {True: 0, False: 0}
        for number in range(3000):
            ops = chance_history(rng)
            expected = by_all_orders(ops)
            verdicts[expected] += 1
            text = "\n".join(map(str, ops))
            self.assertEqual(violation(ops) is None, expected, f"history {number}:\n{text}")
        self.assertGreater(min(verdicts.values()), 500, verdicts)

    def test_a_long_history_is_accepted_until_one_answer_is_changed(self):
        rng, ops, state = random.Random(6), [], None
        for number in range(20000):
            start = number - rng.random() * 3
            if rng.random() < 0.5:
                ops.append(read(state, start, number + rng.random() * 3))
            else:
                ops.append(cas(state, number, start, number + rng.random() * 3))
                state = number
        self.assertIsNone(violation(ops))
        victim = next(op for op in ops[10000:] if op.kind == "read")
        victim.value -= 50
        self.assertIn("impossible", violation(ops))


if __name__ == "__main__":
    unittest.main()
