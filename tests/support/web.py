"""HTTP as the end-to-end tests need it: a plain client (`call`), a stream reader, and a socket for
saying what no client would say (`Raw`). Standard library only."""

import contextlib
import http.client
import json
import socket
import time


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The reason word of an error answer."""
        return self.json["error"]["code"]

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:300]!r}>"


def fields_of(pairs):
    return {name.lower(): value for name, value in pairs}


def call(port, method, path, body=None, headers=None, timeout_s=20):
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, fields_of(answer.getheaders()), answer.read())


def get(port, path, **options):
    return call(port, "GET", path, **options)


def chat(port, model="m1", headers=None, timeout_s=20, path="/v1/chat/completions", **fields):
    """A chat request; `engine={...}` scripts what the engine does."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}
    return call(port, "POST", path, body, headers, timeout_s)


class Raw:
    """A socket that says exactly what it is told."""

    def __init__(self, port, timeout_s=15, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout_s)
        self.socket.connect(("127.0.0.1", port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Closes with RST."""
        linger = (1).to_bytes(4, "little") + bytes(4)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        """Reads once; False at the end of the stream or on a reset."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            assert self.more(), f"the connection ended before {mark!r}: {self.buffer[-300:]!r}"
        taken, _, self.buffer = self.buffer.partition(mark)
        return taken + mark

    def exactly(self, size):
        while len(self.buffer) < size:
            assert self.more(), f"{len(self.buffer)} of {size} bytes, then the end"
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def answer(self, method="POST"):
        """The next whole answer."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        pairs = (line.partition(":") for line in lines[1:] if line)
        fields = {name.lower(): value.strip() for name, _, value in pairs}
        if status == 100:
            return Answer(status, fields, b"")
        return Answer(status, fields, self.body(method, status, fields))

    def body(self, method, status, fields):
        if method == "HEAD" or status in (204, 304):
            return b""
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.until(b"\r\n"), 16):
                body += self.exactly(size + 2)[:-2]
            self.until(b"\r\n")
            return body
        if "content-length" in fields:
            return self.exactly(int(fields["content-length"]))
        return self.rest()

    def rest(self):
        """Everything up to the end of the stream."""
        while self.more():
            pass
        taken, self.buffer = self.buffer, b""
        return taken

    def is_closed_within(self, seconds):
        """Does the other side close in time? What it says before is kept in `buffer`."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.more():
                    return True
        except TimeoutError:
            pass
        return False


def request_text(body, path="/v1/chat/completions", **fields):
    """A POST as bytes, with a content-length."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chat_body(model="m1", **fields):
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **fields}
