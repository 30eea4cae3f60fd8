"""Turns of a conversation go where the earlier ones are in the cache, and many that begin alike
still spread: two emulated engines with prefix caches, which count what they found there."""

import collections
import concurrent.futures
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Emulated
from mesh import Mesh
from runner import equal, eventually, main, note, test
from web import call, get

CONVERSATIONS, TURNS = 8, 6
WORDS = "the vine climbs where light falls and its roots hold what the rain leaves behind ".split()


def text(seed, words):
    return " ".join(f"{WORDS[(seed * 7 + i * i) % len(WORDS)]}{(seed * 31 + i) % 997}"
                    for i in range(words))


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.emulated = [Emulated(f"cache-{i}", self.folder, "--like", "vllm", "--profile", "l4",
                                  "--model", "m=llama-3.1-8b", "--seed", str(i)).start()
                         for i in range(2)]
        self.door = self.node("door", tier="edge")
        for i, engine in enumerate(self.emulated):
            self.node(f"node-{i}", tier="regional", backends=[f"http://127.0.0.1:{engine.port}"])
        self.start()
        eventually(lambda: len(self.door.model_nodes().get("m", ())) == 2, "both have it")

    def close(self):
        for engine in self.emulated:
            engine.terminate()
        return super().close()

    def ask(self, messages):
        answer = call(self.door.http, "POST", "/v1/chat/completions",
                      {"model": "m", "messages": messages, "max_tokens": 4}, timeout_s=60)
        equal(answer.status, 200, str(answer))
        return answer

    def cached(self):
        """Tokens of prompts that the engines were asked for, and those they had."""
        return [sum(engine.metric(f"vllm:prefix_cache_{what}_total") for engine in self.emulated)
                for what in ("queries", "hits")]

    def metric(self, name):
        for line in get(self.door.http, "/metrics").body.decode().splitlines():
            if line.startswith(f"grapevine_{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no grapevine_{name}")


class Conversation:
    def __init__(self, world, number):
        self.world, self.number = world, number
        self.messages, self.nodes, self.answer = [], [], None

    def go_on(self):
        self.messages.append({"role": "user",
                              "content": text(100 * self.number + len(self.nodes), 300)})
        self.answer = self.world.ask(self.messages)
        self.nodes.append(self.answer.fields["grapevine-node"])
        self.messages.append(self.answer.json["choices"][0]["message"])


@test(limit_s=120)
def a_conversation_stays_with_who_remembers_it(world):
    talks = [Conversation(world, n) for n in range(CONVERSATIONS)]
    before = world.cached()
    order = [talk for talk in talks for _ in range(TURNS)]
    random.Random(7).shuffle(order)  # who is next says nothing of where the last turn was
    for talk in order:
        talk.go_on()
    queries, hits = (now - was for now, was in zip(world.cached(), before))
    stayed = sum(a == b for talk in talks for a, b in zip(talk.nodes, talk.nodes[1:]))
    turns = CONVERSATIONS * (TURNS - 1)
    used = collections.Counter(talk.nodes[-1] for talk in talks)
    note(f"{stayed} of {turns} turns went where the one before did; {100 * hits / queries:.0f} % "
         f"of the prompts' tokens were cached; {dict(used)}")
    assert stayed >= 0.85 * turns, [talk.nodes for talk in talks]
    assert hits > 0.6 * queries, (hits, queries)
    equal(len(used), 2, "both engines have conversations")
    talk = talks[0]
    decision = world.door.json("explain", talk.answer.fields["x-request-id"])["decisions"][0]
    held = {c["facts"]["node.name"]: c["learned"]["cached_tokens"] for c in decision["candidates"]}
    assert held[talk.nodes[-2]] > 1000, held
    assert world.metric("prompt_tokens_held_total") > 0.5 * world.metric("prompt_tokens_total")


@test(limit_s=120)
def many_that_begin_alike_still_spread(world):
    system = {"role": "system", "content": text(9999, 600)}
    world.ask([system, {"role": "user", "content": "warm up"}])

    def one(n):
        answer = world.ask([system, {"role": "user", "content": text(n, 40)}])
        return answer.fields["grapevine-node"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        nodes = collections.Counter(pool.map(one, range(120)))
    note(f"120 requests with one system prompt, 16 at once: {dict(nodes)}")
    assert min(nodes[f"node-{i}"] for i in range(2)) >= 30, nodes


if __name__ == "__main__":
    main(World)
