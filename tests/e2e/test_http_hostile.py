"""Clients that are broken, slow, gone or hostile: each is told a clear reason or is cut off in
time, the engine is not left working for nobody, and the node serves everybody else meanwhile."""

import json
import pathlib
import random
import resource
import select
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, note, test
from web import Raw, chat, chat_body, get, request_text

BODY_MAX = 16 << 20
CANCEL_S = 1.0  # the promise is 100 ms; machines like these stall, so it is printed, not asserted


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.backend = self.engine("m1")
        sets = ["limits.header_timeout=1s", "limits.idle_timeout=3s", "limits.body=16MiB"]
        self.one = self.node("solo", backends=[self.backend.url], sets=sets)
        self.one.start()
        self.port = self.one.http
        self.mark()

    def raw(self, **options):
        return Raw(self.port, **options)


def refused(world, text, status, code, closes=True):
    """Says `text` and expects this answer, and after it the end of the connection."""
    with world.raw() as client:
        client.send(text)
        answer = client.answer()
        equal((answer.status, answer.code), (status, code), f"answer to {text[:120]!r}")
        if closes:
            assert client.is_closed_within(5), f"still open after {text[:120]!r}"
            equal(client.buffer, b"", f"more than one answer to {text[:120]!r}")


POST = "POST /v1/completions HTTP/1.1\r\n"
OK_BODY = '{"model":"m1"}'


@test
def ambiguous_framing_is_refused_and_the_connection_closed(world):
    size = len(OK_BODY)
    for fields in (
            f"Host: x\r\nContent-Length: {size}\r\nTransfer-Encoding: chunked\r\n",
            f"Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: {size}\r\n",
            f"Host: x\r\nContent-Length: {size}\r\nContent-Length: {size + 1}\r\n",
            f"Host: x\r\nContent-Length: {size}, {size + 1}\r\n",
            f"Host: x\r\nContent-Length: +{size}\r\n",
            f"Host: x\r\nContent-Length: -{size}\r\n",
            f"Host: x\r\nContent-Length: {size}x\r\n",
            "Host: x\r\nContent-Length: 99999999999999999999\r\n",
            "Host: x\r\nContent-Length:\r\n",
            "Host: x\r\nTransfer-Encoding: gzip\r\n",
            "Host: x\r\nTransfer-Encoding: chunked, gzip\r\n",
            f"Host: x\r\nContent-Length : {size}\r\n",
            f"Host: x\r\nHost: y\r\nContent-Length: {size}\r\n",
            f"Content-Length: {size}\r\n",
            f"Host: x\r\nX-A: b\r\n folded\r\nContent-Length: {size}\r\n",
            f"Host: x\r\nX-A: b\rX-B: c\r\nContent-Length: {size}\r\n",
            f"Host: x\nContent-Length: {size}\r\n",
            f"Host: x\r\nX-A: a\0b\r\nContent-Length: {size}\r\n",
            f"Host: x\r\nX A: b\r\nContent-Length: {size}\r\n",
            f"Host: x\r\n: b\r\nContent-Length: {size}\r\n"):
        with world.raw() as client:
            client.send(POST + fields + "\r\n" + OK_BODY)
            answer = client.answer()
            assert answer.status in (400, 413, 501), f"{fields!r} was answered {answer}"
            assert answer.code, answer
            assert client.is_closed_within(5), f"still open after {fields!r}"
            equal(client.buffer, b"", f"more than one answer to {fields!r}")


@test
def bad_chunks_are_refused(world):
    head = POST + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for chunks in ("zz\r\n", "-1\r\n", "0x5\r\nabcde\r\n", "e\n" + OK_BODY, "\r\n",
                   "fffffffffffffffff\r\n", f"e\r\n{OK_BODY}XX", " e\r\n" + OK_BODY,
                   "e\r" + OK_BODY):
        refused(world, head + chunks + "\r\n\r\n", 400, "invalid_request")


@test
def good_chunks_are_put_together(world):
    text = json.dumps(chat_body())
    chunks = "".join(f"1;ext=1\r\n{c}\r\n" for c in text) + "0\r\nX-Trailer: t\r\n\r\n"
    with world.raw() as client:
        client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n" + chunks)
        equal(client.answer().status, 200, "chunked request")


@test
def broken_request_lines_are_refused(world):
    for line in ("GARBAGE", "GET", "GET /livez", "GET /livez HTTP/9.9", "GET  /livez HTTP/1.1",
                 "GET /li vez HTTP/1.1", "GET livez HTTP/1.1", "\x16\x03\x01\x02\x00\x01",
                 "PRI * HTTP/2.0"):
        with world.raw() as client:
            client.send(line + "\r\nHost: x\r\n\r\n")
            answer = client.answer()
            assert answer.status in (400, 404, 405, 501, 505), f"{line!r} was answered {answer}"
            if answer.status != 404:
                assert client.is_closed_within(5), f"still open after {line!r}"


@test
def random_bytes_do_no_harm(world):
    seed = 20240607
    rng = random.Random(seed)
    valid = request_text(chat_body())
    for _ in range(150):
        noise = bytearray(valid if rng.random() < 0.7 else rng.randbytes(rng.randrange(1, 400)))
        for _ in range(rng.randrange(1, 8)):
            noise[rng.randrange(len(noise))] = rng.randrange(256)
        with world.raw() as client:
            client.send(bytes(noise))
            client.half_close()
            assert client.is_closed_within(15), f"seed {seed}: open after {bytes(noise)!r}"
    equal(chat(world.port).status, 200, "served afterwards")


@test
def a_target_that_is_too_long_is_414_and_a_header_431(world):
    refused(world, "GET /" + "a" * 20000 + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long")
    refused(world, "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: " + "a" * 40000 + "\r\n\r\n", 431,
            "header_too_large")
    many = "".join(f"X-{i}: a\r\n" for i in range(4000))
    refused(world, f"GET /livez HTTP/1.1\r\nHost: x\r\n{many}\r\n", 431, "header_too_large")


def flood(client, piece, limit):
    """Sends until an answer is there; bytes sent. What the kernel holds on the way counts too."""
    sent = 0
    while not select.select([client.socket], [], [], 0)[0]:
        assert sent < limit, f"{sent} bytes were taken without an answer"
        client.send(piece)
        sent += len(piece)
    return sent


def flood_to_the_end(client, piece, seconds):
    """Goes on although it was answered: the other side must end it in time."""
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            client.send(piece)
            time.sleep(0.001)
    except (BrokenPipeError, ConnectionResetError):
        return
    raise AssertionError(f"still read after {seconds} s")


@test
def an_endless_header_is_431_and_cut_off(world):
    before = world.one.rss_kib()
    with world.raw() as client:
        client.send("GET /livez HTTP/1.1\r\nHost: x\r\n")
        piece = b"X-Filler: " + b"a" * 8000 + b"\r\n"
        sent = flood(client, piece, 20 << 20)
        answer = client.answer()
        equal((answer.status, answer.code), (431, "header_too_large"), "endless header")
        flood_to_the_end(client, piece, 15)
    note(f"answered after {sent >> 10} KiB; RSS grew by {world.one.rss_kib() - before} KiB")


@test
def a_body_of_100_mib_is_413_at_once(world):
    started = time.monotonic()
    with world.raw() as client:
        client.send("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n")
        answer = client.answer()
        equal((answer.status, answer.code), (413, "body_too_large"), "announced 100 MiB")
        assert client.is_closed_within(5), "still open"
    note(f"announced: refused after {time.monotonic() - started:.3f} s, before the body")


@test
def an_unannounced_body_of_100_mib_is_413_on_the_way(world):
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with world.raw() as client:
        client.send(POST + "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = flood(client, piece, 50 << 20)
        answer = client.answer()
        equal((answer.status, answer.code), (413, "body_too_large"), "chunks without end")
        flood_to_the_end(client, piece, 15)
    note(f"answered after {sent >> 20} MiB, limits.body=16MiB")
    eventually(world.one.is_idle, "the request is given up")


@test
def a_body_of_exactly_the_limit_is_served(world):
    text = json.dumps(chat_body(filler="")).encode()
    body = text[:-2] + b"a" * (BODY_MAX - len(text)) + text[-2:]
    equal(len(body), BODY_MAX, "size")
    with world.raw(timeout_s=30) as client:
        client.send(request_text(body))
        equal(client.answer().status, 200, "16 MiB")


@test
def expect_100_continue_is_answered_before_the_body(world):
    text = json.dumps(chat_body())
    with world.raw() as client:
        client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                    f"Content-Length: {len(text)}\r\n\r\n")
        equal(client.answer().status, 100, "interim answer")
        client.send(text)
        equal(client.answer().status, 200, "final answer")
    with world.raw() as client:
        client.send(POST + "Host: x\r\nExpect: 100-continue\r\nContent-Length: 104857600\r\n\r\n")
        equal(client.answer().status, 413, "too large: no 100")
    refused(world, POST + "Host: x\r\nExpect: the-moon\r\nContent-Length: 2\r\n\r\n{}", 417,
            "expectation_failed", closes=False)


@test
def a_slow_header_is_cut_off(world):
    with world.raw() as client:
        started = time.monotonic()
        client.send("POST /v1/completions HTTP/1.1\r\nHost: x\r\n")
        try:
            for _ in range(100):  # a byte now and then must not reset the clock
                client.send("X")
                client.socket.settimeout(0.2)
                try:
                    if not client.more():
                        break
                except TimeoutError:
                    continue
        except (BrokenPipeError, ConnectionResetError):
            pass
        took = time.monotonic() - started
        assert took < 15, f"{took:.1f} s for a header that does not end"
        note(f"header_timeout=1s: cut off after {took:.1f} s, {client.buffer[:30]!r}")
        if client.buffer:
            assert b" 408 " in client.buffer.split(b"\r\n")[0], client.buffer
            assert b"request_timeout" in client.buffer, client.buffer


@test
def a_body_that_stops_coming_is_408(world):
    with world.raw() as client:
        client.send(POST + "Host: x\r\nContent-Length: 1000\r\n\r\n{")
        answer = client.answer()
        equal((answer.status, answer.code), (408, "request_timeout"), "half a body")
        assert client.is_closed_within(5), "still open"


@test
def an_idle_connection_is_closed_in_time(world):
    with world.raw() as silent, world.raw() as kept:
        kept.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        kept.answer()
        assert silent.is_closed_within(15), "a silent connection stays"
        assert kept.is_closed_within(15), "an idle connection stays"


@test
def a_half_closed_client_counts_as_gone(world):
    """A closed socket and a half-closed one look the same: the work is cancelled, at once."""
    with world.raw() as client:
        client.send(request_text(chat_body(engine={"do": "hang"}), x_request_id="half"))
        eventually(lambda: world.backend.stats()["running"] == 1, "the engine has it")
        client.half_close()
        assert client.is_closed_within(5), "still open"
    equal(eventually(lambda: world.backend.request("half"), "the end")["how"], "cancelled", "work")


@test
def pipelined_requests_are_answered_in_order(world):
    with world.raw() as client:
        text = b""
        for i in range(20):
            wait = {"wait": 0.05} if i % 5 == 0 else {}
            text += request_text(chat_body(engine={"text": f"n{i}x", "events": 1, **wait}),
                                 x_request_id=f"pipe-{i}")
            if i % 4 == 0:
                text += b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
        client.send(text)
        for i in range(20):
            answer = client.answer()
            equal((answer.status, answer.fields["x-request-id"]), (200, f"pipe-{i}"), "order")
            assert f"n{i}x0".encode() in answer.body, f"{i}: {answer.body}"
            if i % 4 == 0:
                equal(client.answer().status, 200, "livez between")


@test
def a_pipelined_error_does_not_hide_the_answers_before_it(world):
    with world.raw() as client:
        client.send(request_text(chat_body(engine={"wait": 0.2})) + b"BROKEN\r\n\r\n")
        equal(client.answer().status, 200, "the good one")
        equal(client.answer().status, 400, "the broken one")
        assert client.is_closed_within(5), "still open"


@test
def http_1_0_is_answered_and_closed(world):
    with world.raw() as client:
        client.send("GET /livez HTTP/1.0\r\n\r\n")
        equal(client.answer().status, 200, "HTTP/1.0")
        assert client.is_closed_within(5), "still open"
    with world.raw() as client:  # no chunks for those who do not know them
        text = json.dumps(chat_body(stream=True))
        client.send(f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(text)}\r\n\r\n"
                    + text)
        head = client.until(b"\r\n\r\n").lower()
        assert b"chunked" not in head, head
        assert client.rest().endswith(b"data: [DONE]\n\n"), "the stream's end"


def cancel_time(world, request_id, gone):
    """Seconds from the client's going to the engine's learning of it."""
    seen = eventually(lambda: world.backend.request(request_id), "the engine sees the cancel", 10)
    equal(seen["how"], "cancelled", "how the request ended at the engine")
    took = seen["ended"] - gone
    note(f"the engine saw it {took * 1000:.1f} ms later")
    assert took < 10, took
    return took


@test
def a_client_gone_in_mid_stream_cancels_the_work(world):
    for how in ("close", "reset"):
        client = world.raw()
        client.send(request_text(chat_body(stream=True, engine={"events": 2000, "delay": 0.02}),
                                 x_request_id=f"gone-{how}"))
        client.until(b"word1")
        gone = time.monotonic()
        getattr(client, how)()
        cancel_time(world, f"gone-{how}", gone)


@test
def a_client_gone_before_the_answer_cancels_the_work(world):
    client = world.raw()
    client.send(request_text(chat_body(engine={"do": "hang"}), x_request_id="gone-before"))
    eventually(lambda: world.backend.stats()["running"] == 1, "the engine has it")
    gone = time.monotonic()
    client.reset()
    cancel_time(world, "gone-before", gone)


@test
def a_client_gone_in_mid_upload_never_reaches_the_engine(world):
    started = world.backend.stats()["started"]
    for how in ("close", "reset", "half_close"):
        client = world.raw()
        client.send(POST + 'Host: x\r\nContent-Length: 1000\r\n\r\n{"model":"m1",')
        time.sleep(0.05)
        getattr(client, how)()
        if how == "half_close":
            assert client.is_closed_within(10), "open after half a body and a half-close"
            client.close()
    eventually(world.one.is_idle, "nothing is left of them")
    equal(world.backend.stats()["started"], started, "requests at the engine")


@test
def a_client_that_does_not_read_costs_a_window_not_the_answer(world):
    before = world.one.rss_kib()
    clients = [Raw(world.port, receive_buffer=4096) for _ in range(8)]
    for client in clients:
        client.send(request_text(chat_body(engine={"do": "huge", "size": 64 << 20})))
    time.sleep(1.5)
    grown = world.one.rss_kib() - before
    note(f"8 answers of 64 MiB unread: RSS grew by {grown} KiB")
    assert grown < 32 << 10, f"{grown} KiB for 8 unread answers"
    equal(chat(world.port).status if len(clients) < 4 else get(world.port, "/livez").status, 200,
          "others are served")
    for client in clients:
        client.close()
    eventually(world.one.is_idle, "all are given up")


@test
def a_huge_answer_arrives_whole_at_a_slow_reader(world):
    with Raw(world.port, receive_buffer=65536) as client:
        client.send(request_text(chat_body(engine={"do": "huge", "size": 3 << 20})))
        head = client.until(b"\r\n\r\n")
        assert b" 200 " in head, head
        size = 0
        while size < 3 << 20:
            size += len(client.exactly(min(100000, (3 << 20) - size)))
            time.sleep(0.01)
        equal(client.buffer, b"", "bytes beyond the announced length")


@test
def out_of_descriptors_existing_work_goes_on(world):
    """The limit is lowered under the running node; new connections wait, old ones are served."""
    pid, old = world.one.pid, resource.prlimit(world.one.pid, resource.RLIMIT_NOFILE)
    with world.raw() as kept:
        kept.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        equal(kept.answer().status, 200, "before")
        chat(world.port)  # a connection to the engine is pooled
        limit = world.one.connections()[0] + 6
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, old[1]))
        crowd = [world.raw() for _ in range(30)]
        try:
            for number in range(20):
                kept.send(f"GET /livez HTTP/1.1\r\nHost: x\r\nX-N: {number}\r\n\r\n")
                equal(kept.answer().status, 200, "with no descriptors left")
            assert world.one.is_running(), "it ended"
        finally:
            for client in crowd:
                client.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, old)

    def served():
        try:
            return chat(world.port, timeout_s=3).status == 200
        except OSError:
            return False

    eventually(served, "new connections are served again", 15)


@test
def a_full_node_says_429_with_retry_after(world):
    """Concurrency 4 and a queue: more than both is shed, not held."""
    one = world.node("tiny", backends=[world.backend.url],
                     sets=["limits.queue=2", "limits.inflight=64"], alone=True)
    one.start()
    one.fds_at_start = one.connections()[0]
    clients = [Raw(one.http) for _ in range(12)]
    for client in clients:
        client.send(request_text(chat_body(engine={"wait": 1.0})))
    answers = [client.answer() for client in clients]
    for client in clients:
        client.close()
    shed = [answer for answer in answers if answer.status != 200]
    equal(len(answers) - len(shed), 6, "served: 4 at work and 2 in the queue")
    for answer in shed:
        equal((answer.status, answer.code), (429, "overloaded"), "shed")
        assert int(answer.fields["retry-after"]) >= 1, answer.fields
    eventually(one.is_idle, "the queue is empty")


@test
def the_node_is_as_healthy_as_before(world):
    equal(chat(world.port).status, 200, "chat")
    assert world.one.is_idle(), world.one.status()


if __name__ == "__main__":
    main(World)
