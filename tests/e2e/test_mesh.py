"""Three nodes, an engine behind two of them: any node answers, the answer names its way, receipts
prove it, work is cancelled across hops, and a node that only dials out is sent requests."""

import base64
import concurrent.futures
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, run_cli
from runner import equal, eventually, main, note, test
from web import Raw, call, chat, chat_body, get, request_text


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.near = self.engine("m1,near-only", name="near")
        self.far = self.engine("m1,far-only", name="far", kind="llamacpp")
        self.edge = self.node("edge-1", tier="edge")
        self.regional = self.node("regional-1", tier="regional", backends=[self.near.url])
        # Behind a NAT: nobody can dial it, it is sent requests over the links it opened.
        self.cloud = self.node("cloud-1", tier="cloud", region="us-east", advertise="none",
                               backends=[self.far.url])
        self.start()
        self.port = self.edge.http
        wanted = {"m1", "near-only", "far-only"}
        eventually(lambda: wanted <= self.edge.model_nodes().keys(), "models of the mesh")


@test
def any_node_answers_and_names_the_way(world):
    for node in world.node_list:
        for model, executor in (("near-only", "regional-1"), ("far-only", "cloud-1")):
            answer = chat(node.http, model)
            equal(answer.status, 200, f"{model} at {node.name}")
            equal(answer.fields["grapevine-node"], executor, "grapevine-node")
            way = node.name if node.name == executor else f"{node.name},{executor}"
            equal(answer.fields["grapevine-path"], way, "grapevine-path")


@test
def answers_over_a_hop_are_byte_exact(world):
    body = {"model": "near-only", "input": ["a", "b"]}
    over, direct = (call(port, "POST", "/v1/embeddings", body)
                    for port in (world.port, world.near.port))
    equal(over.body, direct.body, "body")
    equal(over.fields["content-type"], direct.fields["content-type"], "content type")
    answer = chat(world.port, "near-only", engine={"do": "400"})
    equal(answer.status, 400, "a status of the engine")
    assert b"the engine dislikes it" in answer.body, answer


@test
def both_engines_are_used_for_a_model_they_share(world):
    def one(_):
        return chat(world.port, "m1", engine={"wait": 0.05}).fields["grapevine-node"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(one, range(40)))
    equal(set(seen), {"regional-1", "cloud-1"}, "executors")
    note(f"of 40: {seen.count('regional-1')} regional, {seen.count('cloud-1')} cloud")


@test
def the_request_id_is_the_same_on_every_hop(world):
    answer = chat(world.port, "far-only", headers={"x-request-id": "one-id-7"})
    equal(answer.fields["x-request-id"], "one-id-7", "answer")
    assert world.far.request("one-id-7"), "the engine saw another id"
    made = chat(world.port, "far-only").fields["x-request-id"]
    assert world.far.request(made), "the engine saw another id than the answer tells"


@test
def models_of_the_whole_mesh_are_listed_everywhere(world):
    for node in world.node_list:
        names = [model["id"] for model in get(node.http, "/v1/models").json["data"]]
        equal(sorted(names), ["far-only", "m1", "near-only"], f"models at {node.name}")
        equal(node.model_nodes()["m1"], {"regional-1", "cloud-1"}, f"ls models at {node.name}")
    answer = chat(world.port, "near-onl")
    equal((answer.status, answer.code), (404, "model_not_found"), "unknown model")
    assert "near-only" in answer.json["error"]["message"], answer


@test
def every_node_lists_every_node(world):
    for node in world.node_list:
        eventually(lambda: all(n["rtt_ms"] is not None for n in node.nodes().values()
                               if not n.get("self")), "links are measured")
        seen = node.nodes()
        equal(sorted(seen), ["cloud-1", "edge-1", "regional-1"], f"nodes at {node.name}")
        equal([n["name"] for n in seen.values() if n.get("self")], [node.name], "self")
        for other in seen.values():
            equal(other["state"], "alive", f"{other['name']} at {node.name}")
            if not other.get("self"):
                assert other["rtt_ms"] is not None and other["age_ms"] is not None, other
        equal((seen["cloud-1"]["tier"], seen["cloud-1"]["region"]), ("cloud", "us-east"), "facts")
        equal({b["kind"] for b in seen["cloud-1"]["backends"]}, {"llamacpp"}, "kind found out")


@test
def streams_pass_a_hop_event_by_event(world):
    with Raw(world.port) as client:
        started = time.monotonic()
        client.send(request_text(chat_body("near-only", stream=True, engine={
            "do": "sse", "events": 4, "delay": 0.2, "pings": True})))
        client.until(b"word0")
        first = time.monotonic() - started
        client.until(b": ping")
        client.until(b"data: [DONE]\n\n")
        whole = time.monotonic() - started
    assert whole - first > 0.5, f"buffered: first event after {first:.2f} s of {whole:.2f} s"


@test
def large_bodies_pass_a_hop(world):
    body = json.dumps(chat_body("near-only", filler="x" * (8 << 20)))
    answer = call(world.port, "POST", "/v1/chat/completions", body, timeout_s=40)
    equal(answer.status, 200, "8 MiB up")
    answer = chat(world.port, "near-only", engine={"do": "huge", "size": 16 << 20}, timeout_s=40)
    equal(len(answer.body), 16 << 20, "16 MiB down")


@test
def a_receipt_proves_the_way_to_a_stranger(world):
    chat(world.port, "far-only", headers={"x-request-id": "proof-1"})
    text = eventually(lambda: got_receipt(world, "proof-1"), "the receipt")
    receipt = json.loads(text)
    equal([hop["name"] for hop in receipt["hops"]], ["edge-1", "cloud-1"], "hops")
    path = world.folder / "receipt.json"
    path.write_text(text)
    root = receipt["root"]
    verdict = run_cli("receipt", "verify", "--root", root, path)
    assert "valid" in verdict and "edge-1" in verdict and "cloud-1" in verdict, verdict
    other = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
    code, out, error = run_cli("receipt", "verify", "--root", other, path, code=None)
    assert code in (1, 3), f"another root: {code} {out} {error}"


def got_receipt(world, request_id):
    code, out, _ = world.edge.cli("receipt", "get", request_id, code=None)
    return out if code == 0 else None


@test
def clients_that_close_at_their_last_byte_leave_receipts_and_no_harm(world):
    """The answer's length is known, so they are gone before the peer's receipt has come."""
    ids = [f"hasty-{number}" for number in range(150)]
    for request_id in ids:
        with Raw(world.port) as client:
            client.send(request_text(chat_body("m1"), x_request_id=request_id))
            equal(client.answer().status, 200, request_id)

    def missing():
        return [i for i in ids if world.edge.control(f"/mesh/v1/receipts/{i}")[0] != 200]

    eventually(lambda: not missing(), f"every receipt, {len(missing())} of 150 are missing")
    assert all(node.is_running() for node in world.node_list), "a node ended"


@test
def an_altered_receipt_is_refused(world):
    chat(world.port, "near-only", headers={"x-request-id": "proof-2"})
    text = eventually(lambda: got_receipt(world, "proof-2"), "the receipt")

    def altered(change):
        value = json.loads(text)
        change(value)
        return json.dumps(value)

    def flip(value, key):
        old = value["hops"][1][key]
        value["hops"][1][key] = ("B" if old[5] == "A" else "A").join((old[:5], old[6:]))

    changes = {
        "another executor": lambda v: v["hops"][1].update(name="cloud-1"),
        "another model": lambda v: v["hops"][1].update(model="other"),
        "another time": lambda v: v["hops"][0].update(duration_ms=1e9),
        "a record altered": lambda v: flip(v, "record"),
        "a signer altered": lambda v: flip(v, "signer"),
        "a hop left out": lambda v: v["hops"].pop(0),
        "the end cut off": lambda v: v["hops"].pop(),
        "another request": lambda v: v.update(request_id="proof-3"),
        "hops swapped": lambda v: v["hops"].reverse(),
    }
    accepted = []
    for what, change in changes.items():
        code, out, error = run_cli("receipt", "verify", "-", stdin=altered(change), code=None)
        if code == 0:
            accepted.append(what)
    equal(accepted, [], "alterations that verify as valid")
    for broken in ("", "{}", "[]", text[: len(text) // 2], "x" * 100000):
        code, out, error = run_cli("receipt", "verify", "-", stdin=broken, code=None)
        assert code in (1, 2, 3) and (out or error), (broken[:20], code)


@test
def a_client_gone_cancels_the_work_across_the_hop(world):
    for executor, model in ((world.near, "near-only"), (world.far, "far-only")):
        request_id = f"gone-{model}"
        client = Raw(world.port)
        client.send(request_text(chat_body(model, stream=True,
                                           engine={"events": 2000, "delay": 0.02}),
                                 x_request_id=request_id))
        client.until(b"word1")
        gone = time.monotonic()
        client.close()
        seen = eventually(lambda: executor.request(request_id), "the engine sees the cancel")
        equal(seen["how"], "cancelled", "how it ended")
        note(f"{model}: the engine saw it {(seen['ended'] - gone) * 1000:.1f} ms later")
    eventually(lambda: all(n.is_idle() for n in world.node_list), "all is given up")


@test
def refusals_of_the_engine_are_told_across_the_hop(world):
    answer = chat(world.port, "near-only", engine={"do": "429", "retry_after": 3})
    equal((answer.status, answer.fields.get("retry-after")), (429, "3"), "429")
    answer = chat(world.port, "far-only", engine={"do": "500"})
    equal(answer.status, 500, "500")
    answer = chat(world.port, "far-only", engine={"do": "close"})
    equal((answer.status, answer.code), (502, "backend_failed"), "closed")


@test
def failures_before_the_first_byte_go_to_the_other_node(world):
    world.near.script(m1={"do": "reset"})
    for _ in range(10):
        answer = chat(world.port, "m1")
        equal((answer.status, answer.fields["grapevine-node"]), (200, "cloud-1"), f"{answer}")
    world.near.script(m1={})


@test
def a_stream_broken_at_a_peer_ends_with_an_error_event(world):
    with Raw(world.port) as client:
        client.send(request_text(chat_body("far-only", stream=True,
                                           engine={"do": "reset_stream"})))
        answer = client.answer()
    text = answer.body.decode()
    last = [event for event in text.split("\n\n") if event][-1]
    assert "word1" in text and "[DONE]" not in text, text
    assert last.startswith('data: {"error":') and '"code":"backend_failed"' in last, last


@test
def a_stopped_node_leaves_and_comes_back(world):
    regional = world.regional
    mark = regional.fds_at_start
    equal(regional.terminate(), 0, "exit status")
    eventually(lambda: world.edge.nodes()["regional-1"]["state"] in ("down", "left"), "it left")
    answer = chat(world.port, "near-only")
    assert answer.status in (404, 503), answer
    note(f"its own model meanwhile: {answer.status} {answer.code}")
    equal(chat(world.port, "m1").fields["grapevine-node"], "cloud-1", "the other serves")
    regional.start()
    world.wait_linked([world.edge, world.regional, world.cloud])
    regional.fds_at_start = mark
    eventually(lambda: chat(world.port, "near-only").status == 200, "it serves again", 15)


@test
def draining_finishes_what_runs(world):
    with Raw(world.port) as client:
        client.send(request_text(chat_body("near-only", stream=True,
                                           engine={"events": 15, "delay": 0.1})))
        client.until(b"word0")
        equal(world.regional.terminate(), 0, "exit status of a drained node")
        client.until(b"data: [DONE]\n\n")
    world.regional.start()
    world.wait_linked([world.edge, world.regional, world.cloud])
    world.mark()


if __name__ == "__main__":
    main(World)
