#!/usr/bin/env python3
"""A scripted inference server for the end-to-end tests: OpenAI-shaped, standard library only, one
process, fast enough to be loaded with a thousand requests a second.

Every answer is chosen by a `script`, the first of: the field "engine" of the request's JSON body,
what /_script set for the request's model, the plain answer. A script is an object:

  do      what happens (the table ACTIONS below); default: "answer", or "sse" where "stream" is true
  events  pieces of a streamed answer (5)          delay   seconds before each piece (0)
  size    bytes of a "huge" answer                 wait    seconds before the answer's head (0)
  pings   true: SSE comments between the pieces    retry_after  seconds, for "429" and "503"
  text    what the pieces say

Beside the product's paths: GET /_stats (counts and the last requests, with times of
time.monotonic()), POST /_script {"model": script}, POST /_loading {"seconds": N}, POST /_reset.

usage: engine.py [--port N] [--models a,b] [--kind openai|llamacpp] [--name X] [--loading S]
Prints `engine port=N` when it serves. Started by tests/support/mesh.py and by hand."""

import argparse
import asyncio
import collections
import json
import signal
import socket
import struct
import time

HEAD_MAX = 64 * 1024
STATUS = {200: "OK", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests",
          500: "Internal Server Error", 503: "Service Unavailable"}
PIECE = b"x" * 65536


class Stop(Exception):
    """The answer is over in a way that leaves the connection unusable."""


def head(status, fields, content_type="application/json"):
    lines = [f"HTTP/1.1 {status} {STATUS.get(status, 'Other')}", f"Content-Type: {content_type}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def whole(status, value, **fields):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    fields = {name.replace("_", "-"): text for name, text in fields.items()}
    return head(status, {"Content-Length": len(body), **fields}) + body


def error(status, message, code=None, **fields):
    return whole(status, {"error": {"message": message, "type": "engine_error", "param": None,
                                    "code": code or status}}, **fields)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


# --- what engines say, in the dialect of the path -------------------------------------------


def usage(count):
    return {"prompt_tokens": 7, "completion_tokens": count, "total_tokens": 7 + count}


def words(script):
    text = script.get("text", "word")
    return [f"{text}{number} " for number in range(script.get("events", 5))]


def plain_answer(request, script):
    model, parts = request.model, words(script)
    base = {"id": f"e-{request.number}", "created": 1, "model": model}
    path = request.path.rpartition("/v1/")[2]
    if path == "chat/completions":
        choice = {"index": 0, "finish_reason": "stop",
                  "message": {"role": "assistant", "content": "".join(parts)}}
        return {**base, "object": "chat.completion", "choices": [choice],
                "usage": usage(len(parts))}
    if path == "completions":
        choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "text": "".join(parts)}
        return {**base, "object": "text_completion", "choices": [choice],
                "usage": usage(len(parts))}
    if path == "embeddings":
        inputs = request.json.get("input")
        count = len(inputs) if isinstance(inputs, list) else 1
        data = [{"object": "embedding", "index": i, "embedding": [0.25, -0.5, 1.0]}
                for i in range(count)]
        return {"object": "list", "model": model, "data": data,
                "usage": {"prompt_tokens": 7, "total_tokens": 7}}
    if path == "responses":
        return {**response_of(request, "completed"), "output": [message_item("".join(parts))]}
    if path == "messages":
        return {"id": base["id"], "type": "message", "role": "assistant", "model": model,
                "content": [{"type": "text", "text": "".join(parts)}], "stop_reason": "end_turn",
                "stop_sequence": None, "usage": {"input_tokens": 7, "output_tokens": len(parts)}}
    if path == "rerank":
        documents = request.json.get("documents", [])
        return {"model": model, "usage": usage(0), "results": [
            {"index": i, "relevance_score": 1.0 / (i + 1)} for i in range(len(documents))]}
    return None


def response_of(request, status):
    return {"id": f"resp_{request.number}", "object": "response", "created_at": 1,
            "status": status, "model": request.model, "output": [], "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {},
            "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0, "tool_choice": "auto",
            "tools": [], "usage": {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12,
                                   "input_tokens_details": {"cached_tokens": 0},
                                   "output_tokens_details": {"reasoning_tokens": 0}}}


def message_item(text):
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}


def sse(value, event=None):
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value)}\n\n".encode()


def stream_chat(request, parts):
    is_chat = request.path.endswith("/chat/completions")
    kind = "chat.completion.chunk" if is_chat else "text_completion"
    base = {"id": f"e-{request.number}", "object": kind, "created": 1, "model": request.model}

    def choice(text, finish=None):
        if not is_chat:
            return {"index": 0, "text": text or "", "logprobs": None, "finish_reason": finish}
        delta = {} if text is None else {"content": text}
        return {"index": 0, "delta": delta, "finish_reason": finish}

    for part in parts:
        yield sse({**base, "choices": [choice(part)]})
    yield sse({**base, "choices": [choice(None, "stop")]})
    if (request.json.get("stream_options") or {}).get("include_usage"):
        yield sse({**base, "choices": [], "usage": usage(len(parts))})
    yield b"data: [DONE]\n\n"


def stream_messages(request, parts):
    start = {"id": f"e-{request.number}", "type": "message", "role": "assistant", "content": [],
             "model": request.model, "stop_reason": None, "stop_sequence": None,
             "usage": {"input_tokens": 7, "output_tokens": 1}}

    def event(kind, **fields):
        return sse({"type": kind, **fields}, kind)

    yield event("message_start", message=start)
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for part in parts:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": part})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None},
                usage={"output_tokens": len(parts)})
    yield event("message_stop")


def stream_responses(request, parts):
    numbers = iter(range(1 << 30))

    def event(kind, **fields):
        return sse({"type": kind, "sequence_number": next(numbers), **fields}, kind)

    yield event("response.created", response=response_of(request, "in_progress"))
    for part in parts:
        yield event("response.output_text.delta", item_id="msg_1", output_index=0,
                    content_index=0, delta=part, logprobs=[])
    done = {**response_of(request, "completed"), "output": [message_item("".join(parts))]}
    yield event("response.completed", response=done)


def stream_events(request, script):
    parts = words(script)
    if request.path.endswith("/messages"):
        return stream_messages(request, parts)
    if request.path.endswith("/responses"):
        return stream_responses(request, parts)
    return stream_chat(request, parts)


# --- actions ----------------------------------------------------------------------------------


async def do_answer(connection, request, script):
    value = plain_answer(request, script)
    answer = whole(200, value) if value else error(404, "no such path")
    await connection.send(answer)


async def do_sse(connection, request, script):
    """A whole stream, or with "stop_after": n one that `broken_stream` below breaks."""
    fields = {"Transfer-Encoding": "chunked", "Cache-Control": "no-cache"}
    await connection.send(head(200, fields, "text/event-stream"))
    delay = script.get("delay", 0)
    for number, event in enumerate(stream_events(request, script)):
        if number == script.get("stop_after"):
            return
        if delay:
            await asyncio.sleep(delay)
        if script.get("pings"):
            await connection.send(chunk(b": ping\n\n"))
        await connection.send(chunk(event))
    await connection.send(b"0\r\n\r\n")


def broken_stream(end):
    async def action(connection, request, script):
        await do_sse(connection, request, {"stop_after": 2, **script})
        await connection.flush()
        await end(connection)
    return action


async def hang(connection):
    await asyncio.sleep(3600)


async def close(connection):
    connection.transport.close()
    raise Stop


async def reset(connection):
    connection.reset()
    raise Stop


async def bad_chunk(connection):
    connection.transport.write(b"zz\r\nnonsense\r\n")
    await close(connection)


def before_head(end):
    async def action(connection, request, script):
        await end(connection)
    return action


def status(number, message):
    async def action(connection, request, script):
        fields = {"Retry_After": script["retry_after"]} if "retry_after" in script else {}
        await connection.send(error(number, message, **fields))
    return action


async def do_garbage(connection, request, script):
    await connection.send(b"\x00\xff\x16\x03garbage that is no HTTP at all\r\n\r\n" * 3)
    await close(connection)


async def do_endless_header(connection, request, script):
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await connection.send(b"X-Filler: " + PIECE[:8000] + b"\r\n")
        await asyncio.sleep(0)


async def do_short_length(connection, request, script):
    """Fewer bytes than announced, then the end of the connection."""
    await connection.send(head(200, {"Content-Length": 100000}) + PIECE[:1000])
    await close(connection)


async def do_long_length(connection, request, script):
    """More bytes than announced: the rest must not be taken for the next answer."""
    answer = whole(200, plain_answer(request, script))
    await connection.send(answer + whole(200, {"stolen": True}))


async def do_two_lengths(connection, request, script):
    body = json.dumps(plain_answer(request, script)).encode()
    text = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Length: 3\r\n\r\n"
    await connection.send(text.encode() + body)


async def do_no_length(connection, request, script):
    """Delimited by the end of the connection, as HTTP/1.0 did."""
    await connection.send(head(200, {"Connection": "close"}))
    await connection.send(json.dumps(plain_answer(request, script)).encode())
    await close(connection)


async def do_huge(connection, request, script):
    left = script.get("size", 8 << 20)
    await connection.send(head(200, {"Content-Length": left}))
    while left > 0:
        piece = PIECE[: min(left, len(PIECE))]
        left -= len(piece)
        await connection.send(piece)


async def do_trickle(connection, request, script):
    """A plain answer, a byte at a time."""
    for byte in whole(200, plain_answer(request, script)):
        await connection.send(bytes([byte]))
        await asyncio.sleep(script.get("delay", 0.002))


ACTIONS = {
    "answer": do_answer, "sse": do_sse,
    "hang": before_head(hang), "close": before_head(close), "reset": before_head(reset),
    "hang_stream": broken_stream(hang), "close_stream": broken_stream(close),
    "reset_stream": broken_stream(reset), "bad_chunk": broken_stream(bad_chunk),
    "400": status(400, "the engine dislikes it"), "500": status(500, "the engine broke"),
    "503": status(503, "Loading model"), "429": status(429, "the engine is busy"),
    "garbage": do_garbage, "endless_header": do_endless_header,
    "short_length": do_short_length, "long_length": do_long_length,
    "two_lengths": do_two_lengths, "no_length": do_no_length,
    "huge": do_huge, "trickle": do_trickle,
}

# --- the server -------------------------------------------------------------------------------


class Request:
    def __init__(self, number, path, fields, body):
        self.number, self.path, self.fields, self.body = number, path, fields, body
        self.started = time.monotonic()
        self.json, self.model = {}, None

    def parse(self):
        try:
            self.json = json.loads(self.body)
            self.model = self.json.get("model")
        except (ValueError, AttributeError):
            return False
        return True


class Engine:
    def __init__(self, options):
        self.options = options
        self.models = [name for name in options.models.split(",") if name]
        self.ready_at = time.monotonic() + options.loading
        self.connections = set()
        self.reset()

    def reset(self):
        self.scripts = {}
        self.number = self.started = self.finished = self.cancelled = self.running_max = 0
        self.running = set()
        self.log = collections.deque(maxlen=20000)

    def is_loading(self):
        return time.monotonic() < self.ready_at

    def begin(self, request):
        self.started += 1
        self.running.add(request)
        self.running_max = max(self.running_max, len(self.running))

    def end(self, request, how):
        if request not in self.running:
            return
        self.running.discard(request)
        self.finished += how == "finished"
        self.cancelled += how == "cancelled"
        self.log.append({"id": request.fields.get("x-request-id"), "model": request.model,
                         "path": request.path, "started": request.started, "how": how,
                         "ended": time.monotonic(), "bytes": len(request.body)})

    def stats(self):
        return {"name": self.options.name, "started": self.started, "finished": self.finished,
                "cancelled": self.cancelled, "running": len(self.running),
                "running_max": self.running_max, "connections": len(self.connections),
                "requests": list(self.log)}

    def side(self, method, path, body):
        """Answers that no request of the mesh asks for, and the engine's own inventory."""
        value = json.loads(body) if body and path.startswith("/_") else {}
        if path == "/_stats":
            return whole(200, self.stats())
        if path == "/_script":
            self.scripts.update(value)
            return whole(200, self.scripts)
        if path == "/_loading":
            self.ready_at = time.monotonic() + value["seconds"]
            return whole(200, {})
        if path == "/_reset":
            self.reset()
            return whole(200, {})
        if self.is_loading():
            return error(503, "Loading model")
        if path == "/health":
            return whole(200, {"status": "ok"})
        if path == "/slots" and self.options.kind == "llamacpp":
            return whole(200, [{"id": i, "is_processing": False} for i in range(4)])
        if path == "/v1/models" and method == "GET":
            return whole(200, {"object": "list", "data": [self.model(m) for m in self.models]})
        return None

    def model(self, name):
        if self.options.kind == "llamacpp":
            return {"id": name, "object": "model", "created": 1, "owned_by": "llamacpp",
                    "meta": {"n_ctx": 4096, "n_ctx_train": 8192}}
        return {"id": name, "object": "model", "created": 1, "owned_by": "engine"}


class Connection(asyncio.Protocol):
    def __init__(self, engine):
        self.engine = engine
        self.buffer = bytearray()
        self.task = self.current = None
        self.can_write = asyncio.Event()
        self.can_write.set()

    def connection_made(self, transport):
        self.transport = transport
        self.engine.connections.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, problem):
        self.engine.connections.discard(self)
        self.can_write.set()
        if self.current:
            self.engine.end(self.current, "cancelled")
        if self.task:
            self.task.cancel()

    def eof_received(self):
        return False  # a client that half-closes does not want the answer any more

    def pause_writing(self):
        self.can_write.clear()

    def resume_writing(self):
        self.can_write.set()

    async def send(self, data):
        self.transport.write(data)
        if not self.can_write.is_set():
            await self.can_write.wait()

    async def flush(self):
        while self.transport.get_write_buffer_size():
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)

    def reset(self):
        raw = self.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data):
        self.buffer += data
        if not self.current:
            self.next_request()

    def next_request(self):
        while self.buffer and not self.current:
            parsed = self.parse()
            if not parsed:
                return
            self.dispatch(*parsed)

    def parse(self):
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > HEAD_MAX:
                self.transport.abort()
            return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:])
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        start = end + 4
        if "chunked" in fields.get("transfer-encoding", ""):
            body, start = self.chunked(start)
            if body is None:
                return None
        else:
            size = int(fields.get("content-length", 0))
            if len(self.buffer) < start + size:
                return None
            body = bytes(self.buffer[start : start + size])
            start += size
        del self.buffer[:start]
        return method, path.partition("?")[0], fields, body

    def chunked(self, at):
        body = b""
        while True:
            line_end = self.buffer.find(b"\r\n", at)
            if line_end < 0:
                return None, at
            size = int(self.buffer[at:line_end], 16)
            at = line_end + 2
            if len(self.buffer) < at + size + 2:
                return None, at
            if size == 0:
                return body, at + 2
            body += self.buffer[at : at + size]
            at += size + 2

    def dispatch(self, method, path, fields, body):
        engine = self.engine
        answer = engine.side(method, path, body) if method == "GET" or path[:2] == "/_" else None
        if not answer and engine.is_loading():
            answer = error(503, "Loading model")
        if answer:
            self.transport.write(answer)
            return
        engine.number += 1
        request = Request(engine.number, path, fields, body)
        if not request.parse():
            self.transport.write(error(500, "the body is not JSON"))
            return
        script = request.json.get("engine") or engine.scripts.get(request.model) or {}
        default = "sse" if request.json.get("stream") else "answer"
        name = script.get("do", default)
        if name not in ACTIONS:
            self.transport.write(error(400, f"the engine knows no {name}"))
            return
        engine.begin(request)
        if name == "answer" and not script.get("wait"):
            value = plain_answer(request, script)
            self.transport.write(whole(200, value) if value else error(404, "no such path"))
            engine.end(request, "finished")
            return
        self.current = request
        self.task = asyncio.ensure_future(self.act(request, ACTIONS[name], script))

    async def act(self, request, action, script):
        try:
            if script.get("wait"):
                await asyncio.sleep(script["wait"])
            await action(self, request, script)
        except Stop:
            self.engine.end(request, "broken")
        self.engine.end(request, "finished")
        self.current = self.task = None
        if not self.transport.is_closing():
            self.next_request()


async def serve(options):
    engine = Engine(options)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(engine), "127.0.0.1", options.port,
                                      backlog=1024)
    print(f"engine port={server.sockets[0].getsockname()[1]}", flush=True)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def main():
    parser = argparse.ArgumentParser(description="A scripted inference server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--models", default="m1")
    parser.add_argument("--kind", choices=("openai", "llamacpp"), default="openai")
    parser.add_argument("--name", default="engine")
    parser.add_argument("--loading", type=float, default=0, help="seconds of 503 at the start")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
