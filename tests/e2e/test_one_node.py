"""One node in front of an engine: the surface for clients as contract.md section 3 gives it.
Every path, the methods it takes, the shape of answers and errors, ids, models, metrics, health."""

import json
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, run_cli
from runner import Skip, equal, eventually, main, note, test
from web import Raw, call, chat, chat_body, get, request_text

INFER = {
    "/v1/chat/completions": chat_body(),
    "/v1/completions": {"model": "m1", "prompt": "once"},
    "/v1/embeddings": {"model": "m1", "input": ["a", "b"]},
    "/v1/responses": {"model": "m1", "input": "hello"},
    "/v1/messages": chat_body(max_tokens=5),
    "/v1/rerank": {"model": "m1", "query": "q", "documents": ["a", "b"]},
}
LOCAL = ("/v1/models", "/livez", "/readyz", "/metrics")


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.slow = self.engine("later", options=["--loading", "6"])
        self.plain = self.engine("m1,m2,mistral-7b")
        self.one = self.node("solo", backends=[self.plain.url, self.slow.url])
        self.one.start()
        self.port = self.one.http
        self.one.fds_at_start = self.one.connections()[0] + 2  # the second engine's, once it is up


def check_error(answer, status, code, kind=None, param=None):
    equal(answer.status, status, f"status of {answer}")
    equal(answer.fields.get("content-type"), "application/json", "content type of an error")
    error = answer.json["error"]
    equal(sorted(error), ["code", "message", "param", "type"], "members of an error")
    equal(error["code"], code, "reason")
    equal(error["param"], param, "param")
    assert error["message"] and error["type"], error
    if kind:
        equal(error["type"], kind, "type")
    assert answer.fields.get("x-request-id"), "an error answer without x-request-id"
    return error


@test
def every_inference_path_is_answered_by_the_engine(world):
    for path, body in INFER.items():
        answer = call(world.port, "POST", path, body)
        equal(answer.status, 200, path)
        direct = call(world.plain.port, "POST", path, body)
        strip = (b'"id": "e-', b'"id": "resp_')
        found, expected = answer.body, direct.body
        for mark in strip:
            found, expected = (b.partition(mark)[0] for b in (found, expected))
        equal(found, expected, f"body of {path}")
        equal(len(answer.body), int(answer.fields["content-length"]), "content-length")
        equal(answer.fields["grapevine-node"], "solo", "grapevine-node")
        equal(answer.fields["grapevine-path"], "solo", "grapevine-path")
        assert answer.fields["grapevine-epoch"].isdigit(), answer.fields


@test
def bodies_reach_the_engine_byte_exact(world):
    text = b' {"messages" :[ ],\r\n "model":\t"m1" , "x":"\\ud83d\\ude00 \xc3\xa9", "n":1.50e+1}\n'
    answer = call(world.port, "POST", "/v1/chat/completions", text, {"x-request-id": "exact-1"})
    equal(answer.status, 200, answer)
    equal(world.plain.request("exact-1")["bytes"], len(text), "bytes at the engine")


@test
def a_stream_arrives_event_by_event_with_pings_and_done(world):
    body = chat_body(stream=True, stream_options={"include_usage": True},
                     engine={"do": "sse", "events": 4, "delay": 0.2, "pings": True})
    with Raw(world.port) as client:
        started = time.monotonic()
        client.send(request_text(body))
        head = client.until(b"\r\n\r\n").lower()
        assert b"200 ok" in head and b"content-type: text/event-stream" in head, head
        client.until(b"word0")
        first = time.monotonic() - started
        client.until(b": ping")
        client.until(b'"usage"')
        client.until(b"data: [DONE]\n\n")
        client.until(b"0\r\n\r\n")
        whole = time.monotonic() - started
    assert whole - first > 0.5, f"buffered: first event after {first:.2f} s of {whole:.2f} s"


@test
def streams_of_all_dialects_pass(world):
    for path, mark in (("/v1/completions", b"[DONE]"), ("/v1/responses", b"response.completed"),
                       ("/v1/messages", b"message_stop")):
        answer = call(world.port, "POST", path, {**INFER[path], "stream": True})
        equal(answer.status, 200, path)
        assert mark in answer.body, f"{path}: {answer.body[-200:]}"


@test
def an_unknown_path_is_404_and_a_wrong_method_405_with_allow(world):
    for method, path in (("GET", "/nothing"), ("POST", "/v1/chat/completionsx"), ("GET", "/"),
                         ("POST", "/v1")):
        check_error(call(world.port, method, path), 404, "no_such_path")
    for path in INFER:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = call(world.port, method, path)
            check_error(answer, 405, "method_not_allowed")
            equal(answer.fields["allow"], "POST, OPTIONS", f"Allow of {path}")
    for path in LOCAL:
        answer = call(world.port, "POST", path, "{}")
        check_error(answer, 405, "method_not_allowed")
        equal(answer.fields["allow"], "GET, HEAD, OPTIONS", f"Allow of {path}")


@test
def options_tells_what_is_allowed(world):
    for path in (*INFER, *LOCAL):
        answer = call(world.port, "OPTIONS", path)
        equal(answer.status // 100, 2, f"OPTIONS {path}")
        assert "OPTIONS" in answer.fields["allow"], answer


@test
def head_has_the_fields_of_get_and_no_body(world):
    with Raw(world.port) as client:
        for path in ("/livez", "/readyz", "/v1/models"):
            client.send(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            head = client.answer("HEAD")
            client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")
            whole = client.answer()
            equal(head.status, whole.status, f"HEAD {path}")
            equal(head.fields["content-length"], whole.fields["content-length"], path)


@test
def queries_and_absolute_targets_are_understood(world):
    equal(get(world.port, "/v1/models?x=1").status, 200, "query")
    with Raw(world.port) as client:
        client.send("GET http://here/livez HTTP/1.1\r\nHost: here\r\n\r\n")
        equal(client.answer().status, 200, "absolute form")
        client.send("GET http://elsewhere/livez HTTP/1.1\r\nHost: here\r\n\r\n")
        equal(client.answer().status, 400, "absolute form with another Host")


@test
def a_body_without_a_usable_model_is_refused(world):
    for body, code in (
            ("{}", "missing_model"), ('{"model":7}', "missing_model"),
            ('{"model":null}', "missing_model"), ('{"model":["m1"]}', "missing_model"),
            ('{"x":{"model":"m1"}}', "missing_model"), ('{"x":"\\"model\\":\\"m1\\""}',
                                                         "missing_model"),
            ('{"model":""}', "missing_model")):
        check_error(call(world.port, "POST", "/v1/completions", body), 400, code,
                    "invalid_request_error", "model")


@test
def malformed_json_is_refused_with_the_place(world):
    for body in ("[]", '"model"', "7", "null", "[" * 5000):
        check_error(call(world.port, "POST", "/v1/completions", body), 400, "invalid_request")
    for body in ("", "x", '{"model":"m1"', '{"model":"m1"}}', '{"model":"m1",}',
                 '{"model":"m1"} x', "{'model':'m1'}", '{"model":"m\n1"}', '{"model":"\\x"}',
                 '{"model":01}', b'\xff\xfe{"model":"m1"}', '{"model":"m1"}\x00',
                 '{"x":' + "[" * 5000):
        answer = call(world.port, "POST", "/v1/completions", body)
        error = check_error(answer, 400, "invalid_json")
        assert "byte" in error["message"] or not body, error
    twice = call(world.port, "POST", "/v1/completions", '{"model":"m1","model":"m2"}')
    equal(twice.status, 400, "a model named twice")


@test
def an_unknown_model_is_404_and_near_names_are_told(world):
    answer = chat(world.port, "mistral-7")
    error = check_error(answer, 404, "model_not_found", "not_found_error", "model")
    assert "mistral-7b" in error["message"], error
    check_error(chat(world.port, "x" * 200), 404, "model_not_found", param="model")


@test
def request_ids_are_kept_when_sane_and_made_otherwise(world):
    for path in ("/livez", "/nothing"):
        answer = get(world.port, path, headers={"x-request-id": "my-id.1/2"})
        equal(answer.fields["x-request-id"], "my-id.1/2", f"id on {path}")
    answer = chat(world.port, headers={"x-request-id": "kept-17"})
    equal(answer.fields["x-request-id"], "kept-17", "id")
    assert world.plain.request("kept-17"), "the engine did not see the id"
    for bad in ("x" * 129, "with space", ""):
        made = chat(world.port, headers={"x-request-id": bad}).fields["x-request-id"]
        assert made and made != bad and " " not in made and len(made) <= 128, made
    ids = {chat(world.port).fields["x-request-id"] for _ in range(20)}
    equal(len(ids), 20, "different ids")


@test
def models_are_listed_each_once_with_their_owner(world):
    listing = get(world.port, "/v1/models").json
    equal(listing["object"], "list", "object")
    names = [model["id"] for model in listing["data"]]
    equal(sorted(set(names)), sorted(names), "each once")
    assert {"m1", "m2", "mistral-7b"} <= set(names), names
    equal({m["owned_by"] for m in listing["data"] if m["id"] == "m1"}, {"engine"}, "owner")
    one = get(world.port, "/v1/models/m1").json
    equal((one["id"], one["object"]), ("m1", "model"), "one model")
    check_error(get(world.port, "/v1/models/none"), 404, "model_not_found", param="model")


@test
def health_and_readiness_are_told(world):
    equal(get(world.port, "/livez").status, 200, "livez")
    equal(get(world.port, "/readyz").status, 200, "readyz")


@test
def a_model_that_is_loading_comes_when_it_is_loaded(world):
    answer = chat(world.port, "later")
    if answer.status != 200:  # a fast machine: it is still loading
        assert answer.status in (404, 503), answer
        note(f"while loading: {answer.status} {answer.code}")
    eventually(lambda: chat(world.port, "later").status == 200, "the slow engine is used", 15)
    backends = world.one.nodes()["solo"]["backends"]
    equal({b["state"] for b in backends}, {"up"}, "states of the backends")


@test
def metrics_are_valid_and_count(world):
    before = metrics(world.port)
    chat(world.port)
    chat(world.port, "unknown")
    after = metrics(world.port)
    grown = {name for name in after if after[name] > before.get(name, 0)}
    assert any("requests" in name for name in grown), f"nothing counted: {grown}"
    assert any("model_not_found" in name for name in grown), f"reason not counted: {grown}"
    promtool = shutil.which("promtool")
    if not promtool:
        raise Skip("no promtool: scripts/setup --test")
    text = get(world.port, "/metrics").body
    done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True,
                          timeout=30)
    equal((done.returncode, done.stderr), (0, b""), "promtool check metrics")


def metrics(port):
    lines = get(port, "/metrics").body.decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and line[0] != "#")
    return {name: float(value) for name, _, value in pairs}


@test
def the_control_socket_tells_status_nodes_and_models(world):
    code, status = world.one.control("/mesh/v1/status")
    equal(code, 200, "status")
    for key in ("node", "mesh", "state", "epoch", "applied", "state_hash", "leader", "voters",
                "alive", "uptime_s", "inflight"):
        assert key in status, f"no {key} in {status}"
    equal((status["state"], status["node"], status["alive"]), ("ready", "solo", 1), "status")
    node = world.one.nodes()["solo"]
    for key in ("name", "id", "tier", "region", "zone", "state", "incarnation", "age_ms", "rtt_ms",
                "version", "mesh", "http", "epoch", "voter", "load", "backends", "self"):
        assert key in node, f"no {key} in {sorted(node)}"
    equal(node["self"], True, "self")
    equal(sorted(node["load"]), ["inflight", "queued", "utilization"], "load")
    equal(world.one.model_nodes()["m1"], {"solo"}, "who has m1")
    equal(world.one.control("/nothing")[0], 404, "unknown path on the socket")
    mode = (world.one.dir / "control.sock").stat().st_mode & 0o777
    equal(oct(mode), "0o600", "mode of the control socket")


@test
def the_cli_prints_what_the_socket_says(world):
    for arguments, path in ((("status",), "/mesh/v1/status"), (("ls", "nodes"), "/mesh/v1/nodes"),
                            (("ls", "models"), "/mesh/v1/models")):
        told, asked = world.one.json(*arguments), world.one.control(path)[1]
        equal(sorted(told), sorted(asked), f"members of {arguments}")
        assert world.one.cli(*arguments).strip(), f"{arguments} prints nothing"


@test
def a_served_request_leaves_a_receipt(world):
    chat(world.port, headers={"x-request-id": "receipt-1"})
    receipt = world.one.json("receipt", "get", "receipt-1")
    equal(receipt["request_id"], "receipt-1", "request id")
    equal([hop["name"] for hop in receipt["hops"]], ["solo"], "hops")
    verdict = run_cli("receipt", "verify", "-", stdin=json.dumps(receipt))
    assert "valid" in verdict and "solo" in verdict, verdict
    code, _, error = world.one.cli("receipt", "get", "never-seen", code=None)
    equal(code, 1, "exit status for a receipt that is not there")
    assert error.startswith("grapevine: ") and error.count("\n") == 1, error


@test
def prompts_are_never_logged(world):
    chat(world.port, messages=[{"role": "user", "content": "SECRETPROMPT"}],
         engine={"text": "SECRETANSWER"})
    chat(world.port, "unknown", messages=[{"role": "user", "content": "SECRETPROMPT"}])
    log = world.one.log()
    assert "SECRETPROMPT" not in log and "SECRETANSWER" not in log, "it is in the log"


@test
def who_knocked_before_a_stop_is_served(world):
    """The kernel has let them in while the node did not run; then it is told to stop."""
    node = world.node("stopped", alone=True, backends=[world.plain.url])
    node.start()
    equal(chat(node.http, "m1").status, 200, "before")
    node.pause()
    clients = [Raw(node.http) for _ in range(40)]
    for client in clients:
        client.send(request_text(chat_body()))
    equal(node.terminate(), 0, "exit status")  # resumes it
    equal([client.answer().status for client in clients], [200] * len(clients), "answers")
    for client in clients:
        client.close()
    node.start()


if __name__ == "__main__":
    main(World)
