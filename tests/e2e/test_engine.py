"""The emulated engine over sockets: surfaces of vLLM and KServe, several models, cold starts, and
every fault on command. Its likeness to llama.cpp is test_engine_like.py's."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import ENGINE, Emulated, Workshop
from runner import Skip, equal, eventually, main, note, test
from web import Raw, call, chat_body, get, request_text

FAST = ("--profile", "h100", "--speed", "20")


class World(Workshop):
    def __init__(self):
        super().__init__()
        self.vllm = self.engine("--like", "vllm", *FAST, "--model", "chat=llama-3.1-8b",
                                "--model", "embed=bge-m3")
        self.kserve = self.engine("--like", "kserve", *FAST, "--model", "score=bge-m3")
        self.llamacpp = self.engine("--like", "llamacpp", *FAST, "--model", "m=smollm2-135m")


def ask(engine, path="/v1/chat/completions", timeout_s=20, **fields):
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}],
            "max_tokens": 8, **fields}
    return call(engine.port, "POST", path, body, timeout_s=timeout_s)


def stream(engine, timeout_s=20, **fields):
    """Everything that comes, and whether the stream ended in order."""
    client = Raw(engine.port, timeout_s=timeout_s)
    client.send(request_text(chat_body("chat", stream=True, max_tokens=8, **fields)))
    text = client.until(b"\r\n\r\n").decode()
    try:
        while b"\r\n0\r\n\r\n" not in client.buffer and client.more():
            pass
        ended = client.buffer.endswith(b"\r\n0\r\n\r\n")
    finally:
        client.close()
    return text, client.buffer, ended


@test
def the_unmodified_sdks_are_served(world):
    try:
        import anthropic
        import openai
    except ImportError:
        raise Skip("no SDKs here: scripts/setup --test")
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{world.vllm.port}/v1", api_key="x")
    pieces = client.chat.completions.create(
        model="chat", messages=[{"role": "user", "content": "hello"}], max_tokens=5, stream=True,
        stream_options={"include_usage": True})
    usages = [piece.usage for piece in pieces if piece.usage]
    equal([usage.completion_tokens for usage in usages], [5], "usage of the stream")
    vectors = client.embeddings.create(model="embed", input=["a", "b"]).data
    equal([len(vector.embedding) for vector in vectors], [1024, 1024], "embeddings by base64")
    plain = client.embeddings.create(model="embed", input="a", encoding_format="float").data[0]
    assert all(abs(x - y) < 1e-6 for x, y in zip(plain.embedding, vectors[0].embedding)), "values"
    equal(sorted(model.id for model in client.models.list()), ["chat", "embed"], "models")
    claude = anthropic.Anthropic(base_url=f"http://127.0.0.1:{world.vllm.port}", api_key="x")
    message = claude.messages.create(model="chat", max_tokens=5,
                                     messages=[{"role": "user", "content": "hello"}])
    equal(message.usage.output_tokens, 5, "tokens of a message")


@test
def an_answer_begins_with_the_mark_of_its_prompt(world):
    mark = "#0123456789abcdef"
    answer = ask(world.vllm, messages=[{"role": "user", "content": f"say {mark} please"}],
                 ignore_eos=True)
    text = answer.json["choices"][0]["message"]["content"]
    assert text.startswith(mark + " "), text
    equal(answer.json["usage"]["completion_tokens"], 8, "tokens, the mark among them")


@test
def vllm_refuses_in_its_own_words(world):
    answer = ask(world.vllm, model="other")
    equal((answer.status, answer.json["error"]["type"], answer.json["error"]["code"]),
          (404, "NotFoundError", 404), "unknown model")
    equal(ask(world.vllm, max_tokens=200000).json["error"]["type"], "BadRequestError", "length")
    equal(ask(world.vllm, "/v1/embeddings", input="x").status, 400, "embeddings of a chat model")
    equal(get(world.vllm.port, "/nope").json, {"detail": "Not Found"}, "unknown path")
    equal(call(world.vllm.port, "GET", "/v1/chat/completions").status, 405, "method")
    equal(ask(world.vllm, "/v1/messages", max_tokens=0).json["type"], "error", "Anthropic's shape")


@test
def a_key_is_asked_for_where_the_real_one_asks(world):
    engine = world.engine("--api-key", "sesame", *FAST, "--model", "chat=llama-3.1-8b")
    equal(ask(engine).status, 401, "without a key")
    equal(get(engine.port, "/health").status, 200, "health needs none")
    answer = call(engine.port, "POST", "/v1/chat/completions", chat_body("chat", max_tokens=2),
                  {"Authorization": "Bearer sesame"})
    equal(answer.status, 200, "with the key")


@test
def load_is_told_while_it_lasts(world):
    engine = world.engine("--profile", "l4", "--model", "chat=llama-3.1-8b", "--sequences", "40")
    clients = []
    for _ in range(50):
        client = Raw(engine.port)
        client.send(request_text(chat_body("chat", stream=True, max_tokens=300,
                                           ignore_eos=True)))
        clients.append(client)
    eventually(lambda: engine.metric("vllm:num_requests_running") == 40, "40 running")
    equal(engine.metric("vllm:num_requests_waiting"), 10, "waiting")
    assert engine.metric("vllm:kv_cache_usage_perc") > 0
    eventually(lambda: engine.metric("DCGM_FI_DEV_GPU_UTIL") > 50, "the accelerator is busy")
    for client in clients:
        client.close()
    eventually(lambda: engine.metric("vllm:num_requests_running") == 0, "all given up")
    equal(engine.metric("vllm:kv_cache_usage_perc"), 0, "blocks given back")


@test
def metrics_are_well_formed(world):
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("no promtool: scripts/setup --test")
    for engine in (world.vllm, world.llamacpp, world.kserve):
        text = get(engine.port, "/metrics").body
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                              timeout=20)
        # 3: it dislikes names, which are the real servers' own; 1: it cannot read them.
        assert done.returncode in (0, 3), done.stderr


@test
def kserve_answers(world):
    port = world.kserve.port
    equal(get(port, "/v2/health/ready").status, 200, "ready")
    equal(get(port, "/v2/models/score").json["inputs"][0]["datatype"], "FP32", "metadata")
    equal(get(port, "/v2/models/score/ready").json, {"name": "score", "ready": True}, "model")
    body = {"inputs": [{"name": "input_0", "shape": [1, 3], "datatype": "FP32",
                        "data": [1, 2, 3]}]}
    first, second = (call(port, "POST", "/v2/models/score/versions/1/infer", body).json
                     for _ in range(2))
    equal(first["outputs"], second["outputs"], "the same input gives the same output")
    equal(first["outputs"][0]["shape"], [1, 8], "shape")
    body["inputs"][0]["data"] = [1, 2, 4]
    other = call(port, "POST", "/v2/models/score/infer", body).json
    assert other["outputs"] != first["outputs"], "another input, another output"
    equal(call(port, "POST", "/v2/models/none/infer", body).json, {"error": "unknown model"},
          "unknown model")
    equal(call(port, "POST", "/v2/repository/index").json[0]["state"], "READY", "index")
    assert world.kserve.metric("nv_inference_request_success") == 3


@test
def a_cold_vllm_opens_its_port_when_it_has_loaded(world):
    started = time.monotonic()
    world.engine("--cold", "--profile", "a100", "--speed", "10", "--model", "m=llama-3.1-8b")
    took_s = time.monotonic() - started
    assert took_s > 0.5, f"ready after {took_s:.2f} s"  # 16 GB at 3 GB/s, ten times as fast


@test
def a_cold_llamacpp_answers_503_till_it_has_loaded(world):
    engine = world.engine("--cold", "--like", "llamacpp", "--profile", "a100", "--speed", "5",
                          "--model", "m=llama-3.1-8b")
    answer = get(engine.port, "/health")
    equal((answer.status, answer.json["error"]["message"]), (503, "Loading model"), "health")
    equal(ask(engine).json["error"]["type"], "unavailable_error", "chat")
    eventually(lambda: get(engine.port, "/health").status == 200, "loaded", 20)
    equal(ask(engine).status, 200, "chat")


# --- faults


@test
def errors_and_busy_are_counted(world):
    world.vllm.break_by("error", status=502, count=2)
    equal([ask(world.vllm).status for _ in range(3)], [502, 502, 200], "statuses")
    world.vllm.break_by("busy", count=1, retry_after_s=7)
    answer = ask(world.vllm)
    equal((answer.status, answer.fields["retry-after"]), (429, "7"), "busy")
    equal(ask(world.vllm).status, 200, "after it")


@test
def a_reset_comes_in_the_middle_of_a_stream(world):
    for fault in ("reset", "cut"):
        world.vllm.break_by(fault, count=1, after=3)
        head, data, ended = stream(world.vllm, ignore_eos=True)
        assert " 200 " in head and not ended, (fault, head, data[-200:])
        equal(data.count(b'"content":"'), 4, f"pieces before a {fault}, the empty first among them")
    assert stream(world.vllm)[2], "the next one is whole"


@test
def garbage_and_lengths_lie(world):
    world.vllm.break_by("garbage", count=1)
    events = stream(world.vllm, ignore_eos=True)[1]
    assert b"\xff" in events and b"[DONE]" in events, events
    world.vllm.break_by("length", count=1)
    with Raw(world.vllm.port) as client:
        client.send(request_text(chat_body("chat", max_tokens=4)))
        head = client.until(b"\r\n\r\n").decode().lower()
        announced = int(head.partition("content-length: ")[2].split("\r\n")[0])
        equal(len(client.rest()), announced - 100, "bytes that came")


@test
def a_request_that_hangs_is_never_answered(world):
    world.vllm.break_by("hang", count=1)
    with Raw(world.vllm.port, timeout_s=1) as client:
        client.send(request_text(chat_body("chat", max_tokens=2)))
        try:
            client.more()
            raise AssertionError(f"an answer: {client.buffer!r}")
        except TimeoutError:
            pass
    equal(ask(world.vllm).status, 200, "the next one")


def time_of(engine, tokens=100):
    started = time.monotonic()
    equal(ask(engine, max_tokens=tokens, ignore_eos=True).status, 200, "answer")
    return time.monotonic() - started


@test
def slow_and_frozen_end_by_themselves(world):
    engine = world.engine("--profile", "h100", "--speed", "10", "--model", "chat=llama-3.1-8b")
    usual = min(time_of(engine) for _ in range(3))
    engine.break_by("slow", factor=10, for_ms=60000)
    slow = time_of(engine)
    engine.mend()
    note(f"100 tokens: {usual * 1000:.0f} ms, ten times slower: {slow * 1000:.0f} ms")
    assert slow > usual * 4, (slow, usual)
    engine.break_by("freeze", for_ms=1500)
    frozen = time_of(engine)
    assert frozen > 1.2, frozen
    equal(get(engine.port, "/faults").json, [], "nothing left in force")


@test
def metrics_lie(world):
    world.vllm.break_by("lie", shows="full", for_ms=60000)
    equal(world.vllm.metric("vllm:kv_cache_usage_perc"), 2, "both models full")
    world.vllm.mend()
    equal(world.vllm.metric("vllm:kv_cache_usage_perc"), 0, "the truth again")
    client = Raw(world.llamacpp.port)
    client.send(request_text(chat_body("m", stream=True, max_tokens=2000, ignore_eos=True)))
    client.until(b"data: ")
    world.llamacpp.break_by("lie", shows="idle", for_ms=60000)
    equal([slot["is_processing"] for slot in get(world.llamacpp.port, "/slots").json],
          [False] * 4, "slots")
    equal(world.llamacpp.metric("llamacpp:requests_processing"), 0, "metrics")
    client.close()
    world.llamacpp.mend()


@test
def it_overheats(world):
    engine = world.engine("--profile", "a100", "--speed", "200", "--model", "chat=llama-3.1-8b")
    engine.break_by("heat", celsius=95, for_ms=60000)
    eventually(lambda: engine.metric("DCGM_FI_DEV_GPU_TEMP") > 87, "hot", 20)
    equal(engine.metric("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS"), 0x20, "throttled")
    equal(engine.metric("DCGM_FI_DEV_SM_CLOCK"), 705, "half the clock")


@test
def out_of_memory_fails_all_and_loads_again(world):
    engine = world.engine("--profile", "a100", "--speed", "10", "--like", "llamacpp",
                          "--model", "chat=llama-3.1-8b")
    client = Raw(engine.port)
    client.send(request_text(chat_body("chat", max_tokens=100000, ignore_eos=True)))
    eventually(lambda: engine.metric("llamacpp:requests_processing") == 1, "it runs")
    engine.break_by("memory", for_ms=300)
    equal(client.answer().status, 500, "what was under way")
    client.close()
    equal(get(engine.port, "/health").status, 503, "health")
    eventually(lambda: get(engine.port, "/health").status == 200, "loaded again", 20)
    equal(ask(engine).status, 200, "it serves")


@test
def a_reclaimed_machine_says_so_and_goes(world):
    engine = Emulated("spot", world.folder, *FAST, "--model", "chat=llama-3.1-8b").start()
    notice = "/latest/meta-data/spot/instance-action"
    equal(get(engine.port, notice).status, 404, "no notice yet")
    equal(get(engine.port, "/computeMetadata/v1/instance/preempted").body, b"FALSE", "GCP")
    engine.break_by("reclaim", for_ms=700)
    answer = get(engine.port, notice).json
    equal(answer["action"], "terminate", "notice")
    time.strptime(answer["time"], "%Y-%m-%dT%H:%M:%SZ")
    equal(ask(engine).status, 200, "it serves till then")
    equal(engine.child.wait(20), 0, "exit status")
    engine.child.stdout.close()


@test
def a_history_tells_what_was_computed(world):
    path = world.folder / "served.jsonl"
    engine = world.engine("--history", str(path), *FAST, "--model", "chat=llama-3.1-8b")
    marks = [f"#{number:016x}" for number in range(3)]

    def say(mark):
        return [{"role": "user", "content": mark}]

    equal(ask(engine, messages=say(marks[0]), ignore_eos=True).status, 200, "whole")
    engine.break_by("reset", count=1, after=4)
    stream(engine, messages=say(marks[1]), ignore_eos=True)
    with Raw(engine.port) as client:
        client.send(request_text({**chat_body("chat", stream=True, max_tokens=90000),
                                  "messages": say(marks[2]), "ignore_eos": True}))
        client.until(b'"content":"')
    eventually(lambda: len(path.read_text().splitlines()) == 3, "three lines")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    equal([(line["mark"], line["outcome"]) for line in lines],
          list(zip(marks, ("done", "broken", "abandoned"))), "what became of them")
    equal([line["output"] for line in lines[:2]], [8, 4], "tokens")


@test
def orders_that_make_no_sense_are_refused(world):
    for order in ({"fault": "slow"}, {"fault": "slow", "for_ms": 5, "count": 1}, {"fault": "x"},
                  {"fault": "error", "count": 0}, {"fault": "error", "count": 1, "status": 200},
                  {"fault": "reset", "count": 1, "aftr": 2}, [], {}):
        answer = call(world.vllm.port, "POST", "/faults", order)
        equal(answer.status, 400, f"{order}: {answer}")
    equal(get(world.vllm.port, "/faults").json, [], "nothing came of it")


@test
def wrong_flags_are_told(world):
    for flags in (["--profile", "nope"], ["--model", "m=nope"], ["--speed", "0"], ["--prot", "1"],
                  ["--fault", "{}"], ["--like", "ollama"], ["--port", "99999"]):
        done = subprocess.run([ENGINE, *flags], capture_output=True, text=True, timeout=20)
        equal(done.returncode, 2, f"{flags}: {done.stderr}")
        assert done.stderr.startswith("grapevine-engine: "), done.stderr
    done = subprocess.run([ENGINE, "--profile", "jetson"], capture_output=True, text=True,
                          timeout=20)
    equal(done.returncode, 1, "a model too large for the accelerator")
    assert "does not fit" in done.stderr, done.stderr


if __name__ == "__main__":
    main(World)
