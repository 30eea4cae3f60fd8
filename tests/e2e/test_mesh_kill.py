"""Kill (-9) or pause any node of three while requests go through the two others: no request fails
that had not begun to answer. Part of them are streams; one that breaks after its first byte may
fail, and must say so."""

import asyncio
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from mesh import Mesh
from runner import equal, eventually, main, note, test

RATE = 200        # requests per second through both entries together
SECONDS = 7       # of traffic; the victim goes after 2
CLIENT_S = 40     # a client's patience


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.left = self.engine("m1", name="left")
        self.right = self.engine("m1", name="right")
        self.edge = self.node("edge-1", tier="edge")
        self.regional = self.node("regional-1", tier="regional", backends=[self.left.url])
        self.cloud = self.node("cloud-1", tier="cloud", backends=[self.right.url])
        for node in (self.regional, self.cloud):  # many at a time, as a batching engine takes them
            config = node.dir / "grapevine.yaml"
            text = config.read_text()
            assert "concurrency: 4" in text, text
            config.write_text(text.replace("concurrency: 4", "concurrency: 64"))
        self.start()
        for node in self.node_list:
            eventually(lambda: node.model_nodes().get("m1") == {"regional-1", "cloud-1"}, "m1")


class Traffic:
    """Requests at a steady rate through some ports, each on its own schedule, and what became of
    them."""

    def __init__(self, ports):
        self.ports, self.sent, self.tasks = ports, 0, set()
        self.answered, self.broken, self.failed, self.executors = 0, [], [], {}
        self.slowest = 0.0

    async def run(self, seconds, disturb):
        loop = asyncio.get_running_loop()
        started = loop.time()
        disturbance = asyncio.ensure_future(disturb())
        while (now := loop.time()) < started + seconds:
            while self.sent < (now - started) * RATE:
                task = loop.create_task(self.request(self.sent))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
                self.sent += 1
            await asyncio.sleep(0.005)
        await disturbance
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=CLIENT_S + 5)

    async def request(self, number):
        port = self.ports[number % len(self.ports)]
        is_stream = number % 10 == 0
        begun, started = False, time.monotonic()
        try:
            async with asyncio.timeout(CLIENT_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                try:
                    writer.write(message(number, is_stream))
                    head = await reader.readuntil(b"\r\n\r\n")
                    begun = True
                    await self.take(number, head, reader, is_stream)
                finally:
                    writer.close()
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as problem:
            kind = self.broken if begun else self.failed
            kind.append(f"{number}: {type(problem).__name__} {problem} "
                        f"after {time.monotonic() - started:.1f} s")
        self.slowest = max(self.slowest, time.monotonic() - started)

    async def take(self, number, head, reader, is_stream):
        status = int(head.split(b" ")[1])
        body = await reader.read()
        if status != 200:
            self.failed.append(f"{number}: {status} {body[:200]}")
            return
        fields = dict(line.partition(b": ")[::2] for line in head.lower().split(b"\r\n")[1:])
        if is_stream and b"[DONE]" not in body:  # maybe with nothing but the head before it
            assert b'"error"' in body, f"cut off without a word: {body[-200:]}"
            self.broken.append(f"{number}: error event")
        elif f"n{number}x".encode() not in body:
            self.failed.append(f"{number}: somebody else's answer: {body[:200]}")
        elif not is_stream and len(body) < int(fields[b"content-length"]):
            self.broken.append(f"{number}: cut off")
        else:
            self.answered += 1
            name = fields[b"grapevine-node"].decode()
            self.executors[name] = self.executors.get(name, 0) + 1


def message(number, is_stream):
    script = {"text": f"n{number}x", "events": 6, "delay": 0.02} if is_stream else \
        {"text": f"n{number}x", "events": 3, "wait": 0.02}
    size = 500_000 if number % 25 == 7 else 1  # now and then a victim dies in mid-upload
    body = json.dumps({"model": "m1", "stream": is_stream, "engine": script,
                       "messages": [{"role": "user", "content": "hi" * size}]})
    return (f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"x-request-id: r{number}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def through(world, victim, harm):
    """Traffic through the two others while `victim` is harmed; the verdict."""
    entries = [node for node in (world.edge, world.regional, world.cloud) if node is not victim]
    traffic = Traffic([node.http for node in entries])

    async def disturb():
        await asyncio.sleep(2)
        harm(victim)

    asyncio.run(traffic.run(SECONDS, disturb))
    note(f"{traffic.sent} sent, {traffic.answered} answered by {traffic.executors}, "
         f"{len(traffic.broken)} broken after their first byte, {len(traffic.failed)} failed, "
         f"slowest {traffic.slowest:.1f} s")
    for line in traffic.broken[:3]:
        note(f"broken: {line}")
    equal(traffic.failed[:5], [], f"{len(traffic.failed)} requests failed that had not begun")
    assert traffic.sent > SECONDS * RATE * 0.9, "too little traffic"
    equal(traffic.answered + len(traffic.broken), traffic.sent, "all accounted for")
    # Only streams that were running at the victim can break: at most a few.
    assert len(traffic.broken) <= 20, traffic.broken[:20]


def killed(world, victim):
    through(world, victim, lambda node: node.kill())
    victim.start()
    world.wait_linked()


def paused(world, victim):
    through(world, victim, lambda node: node.pause())
    victim.resume()
    world.wait_linked()


@test
def undisturbed_traffic_uses_both_engines(world):
    through(world, None, lambda _: None)


@test(limit_s=90)
def an_executor_is_killed(world):
    killed(world, world.cloud)


@test(limit_s=90)
def an_executor_is_paused(world):
    paused(world, world.regional)


@test(limit_s=90)
def the_node_without_an_engine_is_killed(world):
    killed(world, world.edge)


@test(limit_s=90)
def the_other_executor_is_killed(world):
    killed(world, world.regional)


@test(limit_s=90)
def an_engine_is_killed(world):
    """Not a node, but what stands behind it."""
    through(world, None, lambda _: world.left.kill())
    world.left.start()
    world.wait_linked()


if __name__ == "__main__":
    main(World)
