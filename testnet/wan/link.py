"""Long, bad cables: carries Ethernet frames between pairs of TAP devices whose descriptors it
inherits, each way of each cable as its shape says (shape.py). Ends by SIGTERM, with what it carried
as one JSON object. Started by network.py, and by tests/support/netns.py.

Orders come to its socket (SEQPACKET), one JSON object each, and each is answered:
{"cable": NAME, "way": "there" | "back" | "both", "shape": {…}} changes what is given, {} tells.
Every way draws from a generator of its own, so that its nth frame meets the same luck again.

usage: link.py SEED SOCKET_PATH|- NAME=LEFT_FD:RIGHT_FD:SHAPE_JSON..."""

import contextlib
import heapq
import json
import os
import random
import select
import signal
import socket
import sys
import time

from shape import Shape

QUEUE_MAX = 8 << 20  # bytes of one way: survives a stall of this process
FRAMES_MAX = 64      # read in one turn, so that no way waits long for the others
FRAME_SIZE_MAX = 65536
ORDER_SIZE_MAX = 4096
CLIENTS_MAX = 8
COUNTS = ("carried", "lost", "overflowed", "doubled", "overtook")


class Way:
    """One direction of a cable."""

    def __init__(self, source, target, shape, seed):
        self.source, self.target, self.shape = source, target, shape
        self.rng = random.Random(seed)
        self.heap, self.queued, self.number = [], 0, 0
        self.free_at = self.last_due = 0.0
        self.carried = self.lost = self.overflowed = self.doubled = self.overtook = 0

    def take(self, now):
        for _ in range(FRAMES_MAX):
            try:
                frame = os.read(self.source, FRAME_SIZE_MAX)
            except OSError:  # no more, or the device is down
                return
            self.accept(frame, now)

    def accept(self, frame, now):
        loses, doubles, overtakes, late = (self.rng.random() for _ in range(4))
        if loses < self.shape.loss:
            self.lost += 1
            return
        if self.queued + len(frame) > min(QUEUE_MAX, self.shape.queue_bytes):
            self.overflowed += 1
            return
        leaves = now
        if self.shape.rate_bit_s:
            leaves = max(now, self.free_at) + len(frame) * 8 / self.shape.rate_bit_s
            self.free_at = leaves
        due = leaves + self.shape.delay_s + late * self.shape.jitter_s
        if overtakes < self.shape.reorder:  # of the others none does
            self.overtook += 1
            due = leaves
        else:
            due = self.last_due = max(due, self.last_due)
        self.put(due, frame)
        if doubles < self.shape.duplicate:
            self.doubled += 1
            self.put(due, frame)

    def put(self, due, frame):
        self.number += 1
        heapq.heappush(self.heap, (due, self.number, frame))
        self.queued += len(frame)

    def give(self, now):
        while self.heap and self.heap[0][0] <= now:
            _, _, frame = heapq.heappop(self.heap)
            self.queued -= len(frame)
            with contextlib.suppress(OSError):  # the device is down: a cable that was cut
                os.write(self.target, frame)
                self.carried += 1


class Link:
    def __init__(self, cables, seed):
        """cables: {name: (left, right, shape)}"""
        self.cables = {}
        for name, (left, right, shape) in cables.items():
            self.cables[name] = {"there": Way(left, right, shape, f"{seed} {name} there"),
                                 "back": Way(right, left, shape, f"{seed} {name} back")}
        self.by_source = {way.source: way for ways in self.cables.values()
                          for way in ways.values()}

    def wait_s(self, now):
        dues = [way.heap[0][0] for way in self.by_source.values() if way.heap]
        return max(0.0, min(dues) - now) if dues else None

    def turn(self, ready):
        now = time.monotonic()
        for source in ready:
            self.by_source[source].take(now)
        for way in self.by_source.values():
            way.give(now)

    def counts(self):
        return {name: {count: [getattr(way, count) for way in ways.values()] for count in COUNTS}
                for name, ways in self.cables.items()}

    def obey(self, order):
        """The answer to an order; KeyError, TypeError, ValueError: it is none."""
        if order:
            ways = self.cables[order["cable"]]
            chosen = ways.values() if order.get("way", "both") == "both" else [ways[order["way"]]]
            shapes = [Shape.read(order["shape"], way.shape) for way in chosen]
            for way, shape in zip(chosen, shapes):
                way.shape = shape
        return {"counts": self.counts()}


class Control:
    """The socket that orders come to."""

    def __init__(self, path, link):
        self.link, self.clients = link, []
        self.server = None
        if path != "-":
            self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.server.bind(path)
            self.server.listen(CLIENTS_MAX)

    def sources(self):
        return [self.server, *self.clients] if self.server else []

    def turn(self, ready):
        if self.server in ready:
            client, _ = self.server.accept()
            self.clients.append(client)
            if len(self.clients) > CLIENTS_MAX:
                self.clients.pop(0).close()
        for client in [c for c in self.clients if c in ready]:
            try:
                text = client.recv(ORDER_SIZE_MAX)
                if text:
                    client.send(json.dumps(self.answer(text)).encode())
                    continue
            except OSError:
                pass
            self.clients.remove(client)
            client.close()

    def answer(self, text):
        try:
            return self.link.obey(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            return {"error": f"{type(problem).__name__}: {problem}"}


def read_cable(text):
    name, _, rest = text.partition("=")
    left, right, shape = rest.split(":", 2)
    return name, (int(left), int(right), Shape.read(json.loads(shape)))


def main():
    seed, path = sys.argv[1:3]
    link = Link(dict(map(read_cable, sys.argv[3:])), seed)
    control = Control(path, link)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(OSError):  # delays hold while others compute
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    sources = list(link.by_source)
    print("ready", flush=True)
    try:
        while True:
            ready, _, _ = select.select([*sources, *control.sources()], [], [],
                                        link.wait_s(time.monotonic()))
            link.turn([source for source in ready if source in link.by_source])
            control.turn(ready)
    finally:
        print(json.dumps(link.counts()), flush=True)


if __name__ == "__main__":
    main()
