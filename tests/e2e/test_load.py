"""The load generator against the emulated engine: what it counts is what happened, also when the
engine breaks, mixes up or stalls; and a whole chain of load, node and engines."""

import json
import pathlib
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import LOAD, Emulated, Workshop
from mesh import Mesh
from runner import equal, eventually, main, note, test

FAST = ("--profile", "h100", "--speed", "20", "--answer-tokens", "20")


class World(Workshop):
    def __init__(self):
        super().__init__()
        self.vllm = self.engine(*FAST, "--model", "m=llama-3.1-8b")
        self.url = f"http://127.0.0.1:{self.vllm.port}"

    def run(self, *flags, url=None):
        return self.load("--target", url or self.url, "--model", "m", *flags)


@test
def what_was_planned_is_what_is_counted(world):
    summary = world.run("--rate", "200", "--duration", "2", "--arrivals", "constant", "--marks")
    equal((summary["count"], summary["ok"], summary["failed"]), (399, 399, 0), "requests")
    equal(world.vllm.metric("vllm:request_success_total"), 399, "the engine's own count")
    equal(summary["first_token_ms"]["count"], 399, "first tokens")
    assert summary["latency_ms"]["p50"] >= summary["service_ms"]["p50"], summary
    equal(sum(ok for ok, _ in summary["seconds"]), 399, "the timeline")


@test
def the_same_seed_asks_the_same(world):
    def marks(seed):
        path = world.folder / "history"
        world.run("--rate", "50", "--duration", "1", "--seed", str(seed), "--history", str(path))
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return sorted((line["intended_us"], line["mark"]) for line in lines)

    assert marks(1) == marks(1) != marks(2)


@test
def a_trace_is_followed_and_a_bad_one_is_told_by_its_line(world):
    trace = world.folder / "trace"
    trace.write_text("# offset prompt output\n0 20 3\n100\n100 300 7\n900 20 1\n")
    path = world.folder / "history"
    summary = world.run("--trace", str(trace), "--history", str(path), "--ignore-stop")
    equal((summary["count"], summary["ok"]), (4, 4), "requests")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    equal(sorted(line["intended_us"] for line in lines), [0, 100000, 100000, 900000], "starts")
    equal({line["intended_us"]: line["tokens"] for line in lines}[900000], 1, "its length")
    trace.write_text("5\n4\n")
    done = subprocess.run([LOAD, "--target", world.url, "--model", "m", "--trace", str(trace)],
                          capture_output=True, text=True, timeout=20)
    equal(done.returncode, 1, "status")
    assert "line 2" in done.stderr, done.stderr


@test
def every_kind_of_failure_has_its_word(world):
    for fault, fields, outcome in (
            ("error", {"status": 503}, "server_error"), ("error", {"status": 404}, "rejected"),
            ("busy", {}, "busy"), ("reset", {"after": 2}, "reset"), ("cut", {"after": 2}, "cut"),
            ("garbage", {}, "malformed"), ("length", {}, "cut"), ("hang", {}, "timeout")):
        world.vllm.break_by(fault, count=3, **fields)
        summary = world.run("--rate", "50", "--duration", "0.5", "--timeout", "1", "--ignore-stop")
        found = summary["outcomes"][outcome]
        if fault == "reset":  # libuv tells one that comes right behind data as the stream's end
            found += summary["outcomes"]["cut"]
        equal(found, 3, f"{fault}: {summary['outcomes']}")
        equal(summary["failed"], 3, fault)
        world.vllm.mend()
    # Nobody listens on port 1.
    summary = world.run("--rate", "20", "--duration", "0.5", url="http://127.0.0.1:1")
    equal(summary["outcomes"]["refused"], summary["count"], "nobody there")
    equal(summary["failed_unbegun"], summary["count"], "none had begun")


class Fixed(BaseHTTPRequestHandler):
    """Gives everybody the same answer."""

    protocol_version = "HTTP/1.1"
    body = json.dumps({"choices": [{"message": {"content": "#0000000000000000 hello"}}],
                       "usage": {"completion_tokens": 1}}).encode()

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["content-length"]))
        body = self.answer(asked)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, _):
        return self.body

    def log_message(self, *_):
        pass


class Twofold(Fixed):
    """Says everything twice."""

    def answer(self, asked):
        mark = re.search(rb"#[0-9a-f]{16}", asked)[0]
        return self.body.replace(b"#0000000000000000 hello", mark + b" hello " + mark + b" hello")


@test
def clients_that_leave_are_no_failures_and_free_the_engine(world):
    before = world.vllm.metric("vllm:request_success_total")
    summary = world.run("--rate", "100", "--duration", "1", "--abandon", "0.5",
                        "--output-tokens", "4000", "--ignore-stop")
    left = summary["outcomes"]["abandoned"]
    assert 25 < left < 75 and summary["failed"] == 0, summary["outcomes"]
    eventually(lambda: world.vllm.metric("vllm:num_requests_running") == 0, "all given up")
    finished = world.vllm.metric("vllm:request_success_total") - before
    equal(finished, summary["count"], "ended by themselves or by the client")


@test
def somebody_elses_answer_is_told(world):
    answered_by(world, Fixed)


@test
def an_answer_that_comes_twice_is_told(world):
    answered_by(world, Twofold)


def answered_by(world, handler):
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        summary = world.run("--rate", "5", "--duration", "1", "--marks", "--whole",
                            "--connections", "1", url=f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()
    equal(summary["outcomes"]["mixed_up"], summary["count"], "all of them")


@test
def a_stall_is_charged_to_the_server(world):
    """Frozen for a second under constant load: a closed loop would see one slow answer for each of
    its connections; an open one sees them all."""
    engine = world.engine(*FAST, "--model", "m=llama-3.1-8b")
    load = subprocess.Popen(
        [LOAD, "--target", f"http://127.0.0.1:{engine.port}", "--model", "m", "--rate", "100",
         "--duration", "4", "--arrivals", "constant", "-o", "json"],
        stdout=subprocess.PIPE, text=True)
    eventually(lambda: engine.metric("vllm:request_success_total") > 50, "under way")
    engine.break_by("freeze", for_ms=1000)
    summary = json.loads(load.communicate(timeout=30)[0])
    equal(summary["failed"], 0, "failures")
    note(f"p50 {summary['latency_ms']['p50']} ms, p90 {summary['latency_ms']['p90']} ms, "
         f"max {summary['latency_ms']['max']} ms")
    assert summary["latency_ms"]["p90"] > 500, "a tenth of the requests waited over half a second"


@test
def shared_prefixes_and_conversations_reach_the_cache(world):
    def hit_share(*flags):
        engine = world.engine(*FAST, "--model", "m=llama-3.1-8b")
        world.run("--rate", "100", "--duration", "1", *flags,
                  url=f"http://127.0.0.1:{engine.port}")
        return (engine.metric("vllm:prefix_cache_hits_total") /
                engine.metric("vllm:prefix_cache_queries_total"))

    alone = hit_share("--prompt-tokens", "200")
    shared = hit_share("--prompt-tokens", "200", "--groups", "3", "--shared-tokens", "600")
    turns = hit_share("--prompt-tokens", "200", "--turns", "5")
    note(f"cached: alone {alone:.0%}, shared {shared:.0%}, in turns {turns:.0%}")
    assert alone < 0.02 < 0.5 < shared and turns > 0.3, (alone, shared, turns)


@test
def tenants_and_targets_are_counted_apart(world):
    guarded = world.engine("--api-key", "right", *FAST, "--model", "m=llama-3.1-8b")
    summary = world.load("--target", world.url, "--target", f"http://127.0.0.1:{guarded.port}",
                         "--model", "m", "--rate", "100", "--duration", "1", "--key", "right",
                         "--key", "wrong")
    assert summary["targets"][0]["failed"] == 0 < summary["targets"][1]["failed"], summary
    assert summary["tenants"][0]["failed"] == 0 < summary["tenants"][1]["failed"], summary
    equal(summary["outcomes"]["rejected"], summary["failed"], "401s")


@test
def goodput_counts_what_meets_the_objective(world):
    summary = world.run("--rate", "100", "--duration", "1", "--slo", "first=10000,whole=10000")
    equal(summary["good_share"], 1, "a wide objective")
    summary = world.run("--rate", "100", "--duration", "1", "--slo", "whole=0,token=0,first=1")
    assert summary["good_share"] < 0.5, summary["good_share"]


@test
def other_addresses_are_refused(world):
    for url in ("http://8.8.8.8:80", "http://10.0.0.1:80", "https://127.0.0.1:1",
                "http://localhost:80", "http://198.20.0.1:80"):
        done = subprocess.run([LOAD, "--target", url, "--model", "m"], capture_output=True,
                              text=True, timeout=10)
        equal(done.returncode, 2, url)
        assert done.stderr.startswith("grapevine-load: --target"), done.stderr


@test(limit_s=90)
def load_through_two_nodes_finds_the_engines_behind_them(world):
    engines = [Emulated(f"behind-{like}", world.folder, "--like", like, *FAST, "--model",
                        "m=llama-3.1-8b").start() for like in ("vllm", "llamacpp")]
    mesh = Mesh()
    try:
        near, far = (mesh.node(f"n{i}", tier="cloud", region="eu",
                               backends=[f"http://127.0.0.1:{engine.port}"])
                     for i, engine in enumerate(engines))
        near.start()
        far.start()
        mesh.mark()
        eventually(lambda: len(near.model_nodes().get("m", [])) == 2, "both serve it", 30)
        summary = world.load("--target", f"http://127.0.0.1:{near.http}", "--model", "m", "--rate",
                             "250", "--duration", "4", "--marks", "--history",
                             str(world.folder / "mesh.jsonl"))
        equal(summary["failed"], 0, f"failures: {summary['outcomes']}")
        lines = (world.folder / "mesh.jsonl").read_text().splitlines()
        served = {json.loads(line)["node"] for line in lines}
        equal(served, {"n0", "n1"}, "nodes that served")
        note(f"first token p50 {summary['first_token_ms']['p50']} ms, "
             f"p99 {summary['first_token_ms']['p99']} ms")
    finally:
        mesh.close()
        for engine in engines:
            equal(engine.terminate(), 0, engine.name)


if __name__ == "__main__":
    main(World)
