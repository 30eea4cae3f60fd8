"""Who waits for a busy engine, asked through another node: one tenant's flood does not hold up
another tenant, the less important are shed first and told when to come again, who leaves is gone,
and who had to go is served elsewhere if there is room. Order is asserted, times are printed."""

import concurrent.futures
import json
import pathlib
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, note, test
from web import Raw, chat, chat_body, get, request_text

SLOTS = 2
QUEUE = 24
STEPS = """
  steps:
    - {name: own, where: 'backend.name == "first"'}
    - {name: others}"""
POLICIES = {  # of requests for the model `both`, by their priority
    "first-things-first": ("request.priority in [0, 1]", STEPS),
    "hedged": ("request.priority == 2", STEPS + "\n  limits: {hedge_after: 300ms}"),
    "second": ("request.priority < 0", "\n  require: ['backend.name == \"second\"']"),
}


def policies():
    return "---".join(f"""
apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {{name: {name}}}
spec:
  match: request.model == "both" && {match}{rest}
""" for name, (match, rest) in POLICIES.items())


def backend(name, engine, slots=SLOTS):
    return f'{{name: {name}, url: "{engine.url}", kind: openai, concurrency: {slots}}}'


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.slow = self.engine("m1", name="slow")
        self.first = self.engine("both", name="first")
        self.second = self.engine("both", name="second")
        self.door = self.node("door")
        self.rack = self.node("rack", tier="regional", sets=[
            f"limits.queue={QUEUE}", f"backends=[{backend('slow', self.slow)}]"])
        self.pair = self.node("pair", tier="regional", sets=[
            "limits.queue=1", f"backends=[{backend('first', self.first, 1)}, "
                              f"{backend('second', self.second)}]"])
        self.start()
        self.port = self.door.http
        eventually(lambda: {"m1", "both"} <= self.door.model_nodes().keys(), "the models")
        self.keys = {name: self.tenant(name) for name in ("flood", "quiet")}
        self.door.cli("policy", "apply", "-f", "-", stdin=policies())
        self.known_everywhere()

    def tenant(self, name):
        self.door.cli("tenant", "put", name)
        return self.door.cli("tenant", "key", "add", name).strip()

    def known_everywhere(self):
        epoch = self.door.status()["epoch"]
        eventually(lambda: all(n.status()["epoch"] >= epoch for n in self.node_list),
                   f"epoch {epoch} everywhere")

    def ask(self, request_id, tenant="flood", wait=0.1, priority=None, model="m1", port=None):
        headers = {"x-request-id": request_id, "x-api-key": self.keys[tenant]}
        if priority is not None:
            headers["x-priority"] = str(priority)
        return chat(port or self.port, model, headers=headers, timeout_s=60,
                    engine={"wait": wait})


def metric(node, name, **labels):
    """The sum of all series of this name that have these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    lines = get(node.http, "/metrics").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines
               if line.startswith((f"{name}{{", f"{name} ")) and all(w in line for w in wanted))


def waiting(node):
    return metric(node, "grapevine_queue_waiting")


def is_quiet(node):
    return waiting(node) == 0 and metric(node, "grapevine_backend_inflight") == 0


@test
def a_flood_of_one_tenant_does_not_hold_up_another(world):
    """The quiet one asks after the other whenever a whole queue of the flood's stands before it."""
    world.slow.reset()
    done = threading.Event()
    statuses = []

    def flood(number):
        asked = 0
        while not done.is_set():
            asked += 1
            statuses.append(world.ask(f"flood-{number}-{asked}").status)

    sent = {}
    with concurrent.futures.ThreadPoolExecutor(QUEUE + SLOTS) as pool:
        for number in range(QUEUE + SLOTS - 1):
            pool.submit(flood, number)
        eventually(lambda: waiting(world.rack) >= QUEUE - 6, "the flood waits")
        for number in range(12):
            sent[f"quiet-{number}"] = time.monotonic()
            equal(world.ask(f"quiet-{number}", "quiet").status, 200, "the quiet tenant's")
        done.set()
    log = world.slow.stats()["requests"]
    before, took = [], []
    for row in log:
        if row["id"] in sent:
            before.append(sum(sent[row["id"]] < other["started"] < row["started"]
                              for other in log))
            took.append(row["ended"] - sent[row["id"]])
    equal(len(took), 12, "answers")
    equal(set(statuses), {200}, "of the flood's, which is slowed and not refused")
    note(f"begun before the quiet tenant's: {sorted(before)} of {QUEUE} that waited; "
         f"it took {statistics.median(took):.2f} s, {max(took):.2f} s at most; "
         f"in their order it would have been {0.1 * (QUEUE / SLOTS + 1):.2f} s")
    assert statistics.median(before) <= 3, before  # one of the flood's, and those just let in
    eventually(lambda: is_quiet(world.rack), "nothing is left")


@test
def a_flood_that_fills_the_queue_is_shed_and_the_other_tenant_is_not(world):
    with concurrent.futures.ThreadPoolExecutor(2 * QUEUE) as pool:
        flood = [pool.submit(world.ask, f"many-{n}", wait=0.4) for n in range(2 * QUEUE - 4)]
        eventually(lambda: waiting(world.rack) == QUEUE, "a full queue")
        quiet = [pool.submit(world.ask, f"few-{n}", "quiet", 0.4) for n in range(3)]
        for answer in quiet:
            equal(answer.result().status, 200, "the quiet tenant's")
        answers = [answer.result() for answer in flood]
    shed = [answer for answer in answers if answer.status != 200]
    assert len(shed) >= 2 * QUEUE - 4 - QUEUE - SLOTS + 3, len(shed)
    for answer in shed:
        equal((answer.status, answer.code), (429, "overloaded"), "shed")
        assert 1 <= int(answer.fields["retry-after"]) <= 120, answer.fields
    assert metric(world.rack, "grapevine_queue_shed_total", reason="displaced") >= 3, "displaced"
    assert metric(world.rack, "grapevine_queue_shed_total", reason="full") >= 1, "refused"
    lines = [line for line in map(json.loads, world.rack.log().splitlines())
             if line["event"] == "shed"]
    assert lines and {line["reason"] for line in lines} <= {"full", "displaced"}, lines
    eventually(lambda: is_quiet(world.rack), "nothing is left")


@test
def the_less_important_are_shed_first_and_told_when_to_come_again(world):
    """All of one tenant. What waits longest was told the truth if its time is about right."""
    wait = 0.5
    with concurrent.futures.ThreadPoolExecutor(4 * QUEUE) as pool:
        low = [pool.submit(world.ask, f"low-{n}", wait=wait, priority=-1)
               for n in range(QUEUE + SLOTS)]
        eventually(lambda: metric(world.rack, "grapevine_queue_waiting", priority=-1) >= QUEUE - 2,
                   "a queue")
        started = time.monotonic()
        high = [pool.submit(world.ask, f"high-{n}", wait=wait, priority=2) for n in range(8)]
        for answer in high:
            equal(answer.result().status, 200, "the more important")
        took = time.monotonic() - started
        answers = [answer.result() for answer in low]
    shed = [answer for answer in answers if answer.status != 200]
    for answer in shed:
        equal((answer.status, answer.code), (429, "overloaded"), "shed")
    told = sorted(int(answer.fields["retry-after"]) for answer in shed)
    note(f"{len(shed)} of {len(low)} gave way to 8, told to wait {told} s for what takes "
         f"{QUEUE * wait / SLOTS:.0f} s; the 8 were through after {took:.1f} s")
    assert 4 <= len(shed) <= 8, len(shed)
    assert all(QUEUE * wait / SLOTS / 4 <= seconds <= 60 for seconds in told), told
    starts = {row["id"]: row["started"] for row in world.slow.stats()["requests"]}
    last_high = max(starts[f"high-{n}"] for n in range(8))
    between = sum(started < when < last_high for name, when in starts.items()
                  if name.startswith("low-"))
    assert between <= 4, between  # every eighth place, and what was under way
    eventually(lambda: is_quiet(world.rack), "nothing is left")


@test
def who_leaves_is_not_waited_for(world):
    world.slow.reset()
    clients = []
    for number in range(SLOTS + 4):
        client = Raw(world.port, timeout_s=30)
        client.send(request_text(chat_body(engine={"wait": 1.0}), x_request_id=f"leaver-{number}"))
        clients.append(client)
        eventually(lambda count=number + 1: metric(world.rack, "grapevine_backend_inflight") +
                   waiting(world.rack) == count, "it is there")
    for client in clients[SLOTS:SLOTS + 2]:
        client.close()
    eventually(lambda: waiting(world.rack) == 2, "two have left the queue")
    for client in clients[:SLOTS] + clients[SLOTS + 2:]:
        equal(client.answer().status, 200, "who stayed")
        client.close()
    equal({row["id"] for row in world.slow.stats()["requests"]},
          {f"leaver-{n}" for n in (0, 1, 4, 5)}, "what the engine was asked")
    eventually(lambda: is_quiet(world.rack), "nothing is left")


@test
def who_has_to_go_is_served_elsewhere(world):
    """The policy sends all to the first engine, where one works and one may wait."""
    pair = world.pair
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def ask(name, wait, priority):
            return pool.submit(world.ask, name, wait=wait, priority=priority, model="both",
                               port=pair.http)

        working = ask("works", 1.5, 0)
        eventually(lambda: metric(pair, "grapevine_backend_inflight", backend="first") == 1,
                   "the first engine works")
        gives_way = ask("gives-way", 0.1, 0)
        eventually(lambda: waiting(pair) == 1, "one waits for it")
        urgent = ask("urgent", 0.1, 1)
        for answer in (gives_way, urgent, working):
            equal(answer.result().status, 200, "served")
    equal(metric(pair, "grapevine_queue_shed_total", backend="first", reason="displaced"), 1,
          "one gave way")
    equal([world.first.request("gives-way"), world.second.request("gives-way")["how"]],
          [None, "finished"], "where it was served")
    equal(world.first.request("urgent")["how"], "finished", "the urgent one")
    eventually(lambda: is_quiet(pair), "nothing is left")


@test
def a_hedge_takes_nobodys_place(world):
    """The second engine works, and the least important request waits for it: one more attempt of a
    request that takes long at the first is less important still."""
    pair = world.pair
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        def ask(name, wait, priority):
            return pool.submit(world.ask, name, wait=wait, priority=priority, model="both",
                               port=pair.http)

        asked = [ask(f"second-{n}", 2.0, -3) for n in range(SLOTS + 1)]
        eventually(lambda: waiting(pair) == 1, "one waits for the second engine")
        asked.append(ask("hedged", 1.0, 2))
        for answer in asked:
            equal(answer.result().status, 200, "served")
    equal(metric(pair, "grapevine_queue_shed_total", backend="second", priority=-4, reason="full"),
          1, "the hedge was refused")
    equal(metric(pair, "grapevine_queue_shed_total", backend="second", priority=-3), 0,
          "and nobody else")
    equal(world.first.request("hedged")["how"], "finished", "the first attempt")
    eventually(lambda: is_quiet(pair), "nothing is left")


if __name__ == "__main__":
    main(World)
