"""What a node measures itself reaches its peers, and their policies: how the answers of its engines
were."""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, test
from web import call, chat, get

SLOW_S = 0.2
POLICY = """apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {name: by-figures}
spec:
  match: 'request.model == "m"'
  steps:
    - {name: slow, where: '%s'}
"""


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.engine_m = self.engine("m", name="m")
        self.engine_n = self.engine("n", name="n")
        self.seer = self.node("seer-1", tier="cloud")
        self.edge = self.node("edge-1", sets=[
            f"backends=[{{name: first, url: '{self.engine_m.url}'}}, "
            f"{{name: second, url: '{self.engine_n.url}'}}]"])
        self.start()

    def seen(self, backend, node="edge-1"):
        """What the peer knows of it."""
        backends = self.seer.nodes()[node]["backends"]
        return next(b for b in backends if b["name"] == backend)

    def metrics(self, node):
        text = get(node.http, "/metrics").body.decode()
        return {name: float(value) for name, value in
                re.findall(r"^grapevine_(\S+) (\S+)$", text, re.M)}


@test
def what_was_not_asked_has_no_figures(world):
    nothing = {"p50": None, "p99": None}
    second = world.seen("second")
    equal((second["ttft_ms"], second["latency_ms"], second["tokens_per_s"], second["error_rate"]),
          (nothing, nothing, None, None), "nobody asked")
    assert not [name for name in world.metrics(world.edge)
                if name.startswith("backend_latency") and '"second"' in name], "no series"


@test
def a_peer_sees_how_the_answers_of_a_backend_were(world):
    for _ in range(10):
        answer = chat(world.edge.http, "m", stream=True,
                      engine={"do": "sse", "events": 20, "wait": SLOW_S, "delay": 0.01})
        equal(answer.status, 200, "an answer")
    for _ in range(3):
        call(world.edge.http, "POST", "/v1/chat/completions",
             {"model": "m", "messages": [], "engine": {"do": "500"}})
    first = eventually(lambda: world.seen("first")["error_rate"] and world.seen("first"),
                       "errors at a peer")
    assert SLOW_S * 1000 * 0.9 <= first["ttft_ms"]["p99"] < 5000, first
    assert first["ttft_ms"]["p99"] < first["latency_ms"]["p99"], first
    assert 0 < first["tokens_per_s"] < 1000, first
    assert 0 < first["error_rate"] < 1, first
    found = world.metrics(world.edge)
    for name in ("ttft_p99_seconds", "latency_p99_seconds"):
        assert found[f'backend_{name}{{backend="first"}}'] >= SLOW_S * 0.9, found
    for name in ("tokens_per_second", "error_ratio"):
        assert found[f'backend_{name}{{backend="first"}}'] > 0, found


@test
def they_are_facts_of_a_peer_s_policies(world):
    world.seer.cli("policy", "apply", "-f", "-",
                   stdin=POLICY % 'backend.latency.p99 > duration("150ms")')
    answer = eventually(lambda: (a := chat(world.seer.http, "m")).status == 200 and a, "an answer")
    decision = world.seer.json("explain", answer.fields["x-request-id"])["decisions"][0]
    chosen = next(c for c in decision["candidates"] if c["verdict"] == "chosen")
    equal((decision["policy"], chosen["step"]), ("by-figures", "slow"), "why")
    facts = chosen["facts"]
    for name in ("ttft.p50", "ttft.p99", "latency.p50", "latency.p99", "error_rate"):
        assert f"backend.{name}" in facts, (name, facts)


if __name__ == "__main__":
    main(World)
