"""An engine that refuses, hangs, resets, lies or drowns: the client gets a status and a reason (or,
after the first byte, an error event and no [DONE]), one failing engine does not spoil another, and
nothing of it stays behind."""

import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh, free_port
from runner import equal, eventually, main, note, test
from web import Raw, chat, chat_body, get, request_text

FAILED = (502, "backend_failed")


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.bad = self.engine("m1,shared,busy")
        self.good = self.engine("shared,busy")
        self.one = self.node("solo", backends=[self.bad.url, self.good.url],
                             sets=["limits.request_timeout=3s"])
        self.one.start()
        self.port = self.one.http
        eventually(lambda: self.one.model_nodes().keys() >= {"m1", "shared"}, "models")
        chat(self.port, "shared")
        self.mark()

    def faulty(self, do, **more):
        """Alone with the bad engine."""
        return chat(self.port, "m1", engine={"do": do, **more})


def expect(answer, status, code):
    equal((answer.status, answer.code), (status, code), f"{answer}")


def works(world):
    """The next request on whatever connections are left is answered with its own answer."""
    for number in range(3):
        answer = chat(world.port, "m1", engine={"text": f"after{number}x", "events": 1})
        equal(answer.status, 200, "the next request")
        assert f"after{number}x0" in answer.body.decode(), answer


@test
def broken_before_the_head_is_502(world):
    for do in ("close", "reset", "garbage", "endless_header", "two_lengths"):
        expect(world.faulty(do), *FAILED)
        works(world)


@test
def an_engine_that_hangs_before_the_head_is_504_at_the_deadline(world):
    started = time.monotonic()
    expect(world.faulty("hang"), 504, "deadline")
    took = time.monotonic() - started
    assert 2.5 < took < 12, f"request_timeout=3s took {took:.1f} s"
    eventually(lambda: world.bad.stats()["running"] == 0, "the engine was told")
    works(world)


@test
def statuses_of_the_engine_pass_when_nobody_else_can_serve(world):
    for do, status in (("400", 400), ("500", 500)):
        answer = world.faulty(do)
        equal(answer.status, status, do)
        assert b"engine" in answer.body, answer
        equal(answer.fields["grapevine-node"], "solo", "grapevine-node")
        works(world)


@test
def a_busy_engine_is_429_with_its_retry_after(world):
    answer = world.faulty("429", retry_after=7)
    equal((answer.status, answer.fields.get("retry-after")), (429, "7"), answer)


@test
def a_loading_engine_is_503(world):
    answer = world.faulty("503", retry_after=1)
    equal(answer.status, 503, answer)
    assert answer.fields.get("retry-after"), answer


def broken_stream(world, do):
    """The text of a stream that the engine breaks off after two events."""
    body = chat_body(stream=True, engine={"do": do})
    with Raw(world.port) as client:
        client.send(request_text(body))
        answer = client.answer()
        closed = client.is_closed_within(5)
    equal(answer.status, 200, do)
    return answer.body.decode(), closed


@test
def a_stream_that_breaks_off_ends_with_an_error_event_and_no_done(world):
    for do in ("close_stream", "reset_stream", "bad_chunk"):
        text, _ = broken_stream(world, do)
        events = [event for event in text.split("\n\n") if event]
        assert "word0" in events[0] and "word1" in events[1], f"{do}: {text}"
        assert events[-1].startswith('data: {"error":'), f"{do}: {events[-1]}"
        assert '"code":"backend_failed"' in events[-1], f"{do}: {events[-1]}"
        assert "[DONE]" not in text, f"{do}: {text}"
        works(world)


@test
def a_stream_that_hangs_ends_with_the_deadline(world):
    text, _ = broken_stream(world, "hang_stream")
    last = [event for event in text.split("\n\n") if event][-1]
    assert last.startswith('data: {"error":') and '"code":"deadline"' in last, text
    assert "[DONE]" not in text, text
    eventually(lambda: world.bad.stats()["running"] == 0, "the engine was told")


@test
def a_short_answer_is_not_passed_off_as_whole(world):
    with Raw(world.port) as client:
        client.send(request_text(chat_body(engine={"do": "short_length"})))
        head = client.until(b"\r\n\r\n")
        if b" 200 " in head.split(b"\r\n")[0]:
            assert client.is_closed_within(10), "open after an answer that lacks bytes"
            assert len(client.buffer) < 100000, "bytes from nowhere"
        else:
            assert b" 502 " in head.split(b"\r\n")[0], head
    works(world)


@test
def bytes_beyond_the_announced_length_are_never_an_answer(world):
    for _ in range(5):
        answer = world.faulty("long_length")
        equal(answer.status, 200, "long_length")
        assert b"stolen" not in answer.body, answer
        works(world)


@test
def an_answer_delimited_by_its_end_is_passed_whole(world):
    answer = world.faulty("no_length", events=3)
    equal(answer.status, 200, "no_length")
    assert "word2" in answer.json["choices"][0]["message"]["content"], answer
    works(world)


@test
def a_trickled_answer_is_passed_whole(world):
    answer = world.faulty("trickle", events=2)
    equal(answer.status, 200, "trickle")
    assert answer.body.endswith(b"}"), answer


@test
def a_huge_answer_is_passed_whole_in_bounded_memory(world):
    before = world.one.rss_kib()
    answer = chat(world.port, "m1", engine={"do": "huge", "size": 48 << 20}, timeout_s=40)
    equal((answer.status, len(answer.body)), (200, 48 << 20), "size")
    grown = world.one.rss_kib() - before
    note(f"48 MiB passed, RSS grew by {grown} KiB")
    assert grown < 16 << 10, f"RSS grew by {grown} KiB"


@test
def failures_before_the_first_byte_go_to_the_other_engine(world):
    for do in ("close", "reset", "garbage", "500", "429", "503"):
        world.bad.script(shared={"do": do})
        for _ in range(6):
            answer = chat(world.port, "shared", engine=None)
            equal(answer.status, 200, f"with {do} at one of two engines: {answer}")
    world.bad.script(shared={})
    assert world.good.stats()["finished"] > 0


@test
def an_engine_that_is_gone_is_noticed_and_used_again_when_back(world):
    world.bad.kill()
    for _ in range(6):
        equal(chat(world.port, "shared").status, 200, "the other engine serves")
    expect_none = chat(world.port, "m1")
    assert expect_none.status in (404, 502, 503), expect_none
    note(f"its own model meanwhile: {expect_none.status} {expect_none.code}")
    states = {b["name"]: b["state"] for b in world.one.nodes()["solo"]["backends"]}
    assert "down" in states.values(), states
    equal(get(world.port, "/readyz").status, 200, "ready with one engine left")
    world.bad.start()
    eventually(lambda: chat(world.port, "m1").status == 200, "it is used again", 15)


@test
def an_engine_that_goes_back_to_loading_is_left_alone(world):
    world.bad.ask("/_loading", {"seconds": 4})
    for _ in range(10):
        equal(chat(world.port, "shared").status, 200, "the other engine serves")
    eventually(lambda: chat(world.port, "m1").status == 200, "it is used again", 20)


@test
def busy_engines_are_left_alone_for_their_retry_after(world):
    """Both know the model; the one that said 429 is not asked while the other can serve."""
    world.bad.reset()
    world.bad.script(busy={"do": "429", "retry_after": 30})
    for _ in range(12):
        equal(chat(world.port, "busy").status, 200, "the other engine serves")
    asked = sum(r["model"] == "busy" for r in world.bad.stats()["requests"])
    assert asked <= 2, f"asked {asked} times after it had said 429"


@test
def a_backend_that_is_the_node_itself_is_found_out(world):
    port = free_port()
    node = world.node("mirror", alone=True, backends=[f"http://127.0.0.1:{port}", world.good.url],
                      sets=[f"listen.http=127.0.0.1:{port}"])
    node.start()
    eventually(lambda: "backend_is_this_mesh" in node.log(), "the log says so")
    eventually(lambda: "shared" in node.model_nodes(), "the other backend's models")
    for _ in range(5):
        equal(chat(node.http, "shared").status, 200, "the other backend serves")
    backends = {b["name"]: b["state"] for b in node.nodes()["mirror"]["backends"]}
    equal(backends, {"backend-1": "down", "backend-2": "up"}, "states")
    time.sleep(2)
    equal(node.log().count("backend_is_this_mesh"), 1, "it is said once")


if __name__ == "__main__":
    main(World)
