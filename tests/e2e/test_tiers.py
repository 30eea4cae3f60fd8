"""Policies decide over real requests through three tiers: the founding example, what happens when
its nodes are busy, gone or forbidden, strategies, cascades, ceilings, hedges, breakers."""

import collections
import concurrent.futures
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Emulated
from mesh import Mesh, run_cli
from runner import equal, eventually, main, note, test
from web import call, chat, chat_body

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "policy/examples/video-analytics.yaml"


def policy(name, spec):
    return f"apiVersion: grapevine/v1\nkind: RoutePolicy\nmetadata: {{name: {name}}}\nspec:\n{spec}"


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.gpu = Emulated("gpu", self.folder, "--like", "vllm", "--profile", "l4", "--model",
                            "v=llama-3.1-8b").start()
        self.rack = self.engine("v,m,dear", name="rack")
        self.far = self.engine("v,m,large", name="far")
        self.door = self.node("door", tier="edge")
        self.camera = self.node("camera-3", tier="edge",
                                backends=[f"http://127.0.0.1:{self.gpu.port}"])
        self.frankfurt = self.node("frankfurt", tier="regional", backends=[self.rack.url])
        self.oregon = self.node("oregon", tier="cloud", region="us-west", backends=[self.far.url])
        self.start()
        self.port = self.door.http
        eventually(lambda: len(self.door.model_nodes().get("v", ())) == 3, "three who have it")
        self.door.cli("model", "put", "v", "--task", "video")
        self.in_force = 0

    def close(self):
        self.gpu.terminate()
        return super().close()

    def apply(self, text, *options):
        """In force on every node when it returns."""
        self.door.cli("policy", "apply", "-f", "-", *options, stdin=text)
        epoch = self.door.status()["epoch"]
        for node in self.node_list:
            if node.is_running():
                eventually(lambda n=node: n.status()["epoch"] >= epoch, "the policy is in force")

    def only(self, name, spec, *options):
        """This policy and no other."""
        for item in self.door.json("policy", "ls")["items"]:
            self.door.cli("policy", "rm", item["name"])
        self.apply(policy(name, spec), *options)

    def ask(self, model="v", status=200, **more):
        answer = chat(self.port, model, max_tokens=4, **more)
        equal(answer.status, status, f"{model}: {answer}")
        return answer

    def where(self, model="v", **more):
        return self.ask(model, **more).fields["grapevine-node"]

    def explained(self, answer):
        return self.door.json("explain", answer.fields["x-request-id"])["decisions"]


# --- the founding example

@test
def an_idle_camera_answers_its_own_video(world):
    world.apply(EXAMPLE.read_text())
    eventually(lambda: world.door.nodes()["camera-3"]["backends"][0]["gpu"]["load"] is not None and
               world.door.nodes()["camera-3"]["rtt_ms"], "the camera's GPU and way are known")
    eventually(lambda: world.where() == "camera-3", "an idle GPU at the edge")
    answer = world.ask()
    decision = world.explained(answer)[0]
    equal((decision["policy"], decision["reason"]), ("video-analytics", "only_candidate"), "why")
    looks = {c["facts"]["node.name"]: c for c in decision["candidates"]}
    equal((looks["camera-3"]["verdict"], looks["camera-3"]["step"]), ("chosen", "edge"), "camera")
    equal(looks["frankfurt"]["verdict"], "step_failed", "the rack")
    assert looks["camera-3"]["facts"]["backend.gpu.load"] < 0.8, looks["camera-3"]
    text = world.door.cli("explain", answer.fields["x-request-id"])
    for word in ("video-analytics", "chosen", "camera-3", "step_failed", "frankfurt"):
        assert word in text, text


@test
def a_busy_camera_is_left_for_the_region(world):
    body = chat_body("v", max_tokens=200, ignore_eos=True)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(call, world.gpu.port, "POST", "/v1/chat/completions", body,
                             timeout_s=60) for _ in range(6)]
        eventually(lambda: world.gpu.metric("DCGM_FI_DEV_GPU_UTIL") >= 80, "the GPU is busy")
        def step():
            decision = world.explained(world.ask())[0]
            return [c["step"] for c in decision["candidates"] if c["verdict"] == "chosen"]
        eventually(lambda: step() == ["regional"], "the rack takes over", timeout_s=3)
        equal(world.where(), "frankfurt", "the second step")
        for answer in asked:
            equal(answer.result().status, 200, "the camera's own work")
    eventually(lambda: world.where() == "camera-3", "it is idle again")


@test
def whoever_dies_is_replaced_by_the_next_step_and_the_last_resort(world):
    world.camera.kill()
    for _ in range(20):
        equal(world.where(), "frankfurt", "the region")
    world.frankfurt.pause()
    found = collections.Counter(world.where(timeout_s=30) for _ in range(10))
    equal(set(found), {"oregon"}, "whoever is left")
    world.frankfurt.resume()
    eventually(lambda: world.where() == "frankfurt", "the region is back")
    world.camera.start()
    eventually(lambda: world.where() == "camera-3", "the camera is back", timeout_s=30)


@test
def what_was_decided_can_be_replayed_under_other_policies(world):
    recording = world.folder / "recording.jsonl"
    for _ in range(5):
        world.ask("m")
    recording.write_text(world.door.cli("decisions", "export", "--last", "5"))
    same = world.folder / "same.yaml"
    same.write_text(policy("same", "  match: request.model == 'm'\n"))
    found = json.loads(run_cli("policy", "replay", "--from", recording, "--with", same, "-o",
                               "json"))
    equal((found["count"], found["moved"], found["refused"]), (5, 0, 0), "nothing moves")
    other = world.folder / "other.yaml"
    other.write_text(policy("abroad", "  match: request.model == 'm'\n  last_resort: false\n"
                                      "  steps: [{name: far, where: 'node.tier == \"cloud\"'}]\n"))
    found = json.loads(run_cli("policy", "replay", "--from", recording, "--with", other, "-o",
                               "json"))
    equal({d["to"] for d in found["decisions"]}, {"oregon"}, "all go abroad")
    equal(found["moved"], sum(d["from"] == "frankfurt" for d in found["decisions"]), "who moves")
    text = run_cli("policy", "replay", "--from", recording, "--with", other)
    assert f"5 decisions: {found['moved']} would move, 0 would be refused" in text, text
    code, _, err = run_cli("policy", "replay", "--from", recording, "--with", "/nowhere", code=None)
    equal(code, 1, err)


# --- hard rules

@test
def what_a_policy_forbids_is_refused_wherever_it_is_asked(world):
    world.only("at-home", "  match: request.model == 'large'\n"
                          "  require: ['node.region.startsWith(\"eu-\")']\n",
               "--force", "at-home")
    answer = world.ask("large", status=403)
    equal(answer.code, "not_allowed", "only a node abroad has it")
    looks = world.explained(answer)[0]["candidates"]
    equal([c["verdict"] for c in looks], ["require_failed"], "why")
    answer = chat(world.oregon.http, "large")
    equal((answer.status, answer.code), (403, "not_allowed"), "nor may it answer itself")
    receipt = world.oregon.json("receipt", "get", answer.fields["x-request-id"])
    equal([hop["role"] for hop in receipt["hops"]], ["refuser"], "and it signs that it does not")
    seen = [r["model"] for r in world.far.stats()["requests"]]
    assert "large" not in seen, "no engine saw it"


# --- strategies

@test
def the_cheapest_is_taken_while_it_can_be(world):
    for node, price in (("frankfurt", 900), ("oregon", 100)):
        world.door.cli("price", "put", f"at-{node}", "--node-name", node, "--per-1k-input-tokens",
                       str(price), "--per-1k-output-tokens", str(price))
    world.only("cheap", "  match: request.model == 'm'\n  strategy: cost-optimized\n")
    found = collections.Counter(world.where("m") for _ in range(20))
    equal(found, {"oregon": 20}, "the cheap one")
    decision = world.explained(world.ask("m"))[0]
    prices = {c["facts"]["node.name"]: c["cost_usd"] for c in decision["candidates"]}
    assert prices["oregon"] < prices["frankfurt"], prices
    world.far.script(m={"do": "close"})
    equal(collections.Counter(world.where("m") for _ in range(10)), {"frankfurt": 10},
          "the dear one when the cheap one fails")
    world.far.reset()


@test
def a_ceiling_of_cost_is_hard(world):
    world.only("ceiling", "  match: request.model == 'm'\n  limits: {max_cost_usd: 0.0000001}\n")
    answer = world.ask("m", status=403)
    equal(answer.code, "price_ceiling", "it would cost more")


@test
def nearly_all_requests_succeed_while_one_engine_fails(world):
    world.only("sure", "  match: request.model == 'm'\n  strategy: availability-first\n")
    name = world.where("m")
    failing = world.rack if name == "frankfurt" else world.far
    failing.script(m={"do": "close"})
    before = len(failing.stats()["requests"])
    answers = collections.Counter(chat(world.port, "m").status for _ in range(300))
    asked = sum(r["model"] == "m" for r in failing.stats()["requests"][before:])
    note(f"{dict(answers)}, the failing engine was asked {asked} times")
    equal(answers, {200: 300}, "all answered")
    assert asked <= 30, "who fails fast draws no traffic"
    failing.reset()


# --- other models, other attempts

@test
def a_larger_model_helps_out_and_says_so(world):
    world.only("cascade", "  match: request.model == 'dear'\n  steps:\n"
                          "    - {name: own, where: 'node.tier == \"regional\"'}\n"
                          "    - {name: larger, models: [large]}\n")
    answer = world.ask("dear")
    equal((answer.fields["grapevine-node"], answer.fields.get("grapevine-model")),
          ("frankfurt", None), "what was asked for")
    world.rack.script(dear={"do": "close"})
    answer = world.ask("dear")
    equal((answer.fields["grapevine-node"], answer.fields["grapevine-model"]),
          ("oregon", "large"), "the larger one")
    equal(answer.json["model"], "large", "the engine was asked for it")
    equal([d["model"] for d in world.explained(answer)], ["dear", "large"], "attempt by attempt")
    world.rack.reset()


@test
def a_hedge_answers_when_the_first_takes_long(world):
    world.only("hedged", "  match: request.model == 'm'\n  limits: {hedge_after: 300ms}\n")
    for node in (world.frankfurt, world.oregon):  # both well again, and believed to be
        eventually(lambda n=node: chat(n.http, "m").fields.get("grapevine-node") == n.name,
                   f"{node.name} answers itself", timeout_s=30)
    hanging = world.rack if world.where("m") == "frankfurt" else world.far
    hanging.script(m={"do": "hang"})
    for _ in range(6):
        world.ask("m", timeout_s=10)
    eventually(lambda: hanging.stats()["running"] == 0, "the loser was cancelled")
    hanging.reset()


@test
def a_policy_s_deadline_is_the_request_s(world):
    world.only("quick", "  match: request.model == 'dear'\n  limits: {deadline: 700ms}\n")
    world.rack.script(dear={"do": "hang"})
    answer = world.ask("dear", status=504)
    equal(answer.code, "deadline", "after the policy's time")
    world.rack.reset()


if __name__ == "__main__":
    main(World)
