"""A long, lossy cable: carries Ethernet frames between two TAP devices, whose descriptors it
inherits. Each frame arrives DELAY_MS later, in order, or with probability LOSS never. Ends by
SIGTERM, with its counts as one JSON object. Started by netns.py.

usage: wan_link.py LEFT_FD RIGHT_FD DELAY_MS LOSS SEED"""

import collections
import contextlib
import json
import os
import random
import select
import signal
import sys
import time

QUEUE_MAX = 8 << 20  # bytes per direction: survives a stall of this process
FRAMES_MAX = 64      # read in one turn, so that neither direction waits for the other
FRAME_SIZE_MAX = 65536


class Way:
    """One direction."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.queue, self.queued = collections.deque(), 0
        self.carried = self.lost = self.overflowed = 0

    def take(self, due, is_lost):
        for _ in range(FRAMES_MAX):
            try:
                frame = os.read(self.source, FRAME_SIZE_MAX)
            except OSError:  # no more, or the device is down
                return
            if is_lost():
                self.lost += 1
            elif self.queued + len(frame) > QUEUE_MAX:
                self.overflowed += 1
            else:
                self.queue.append((due, frame))
                self.queued += len(frame)

    def give(self, now):
        while self.queue and self.queue[0][0] <= now:
            _, frame = self.queue.popleft()
            self.queued -= len(frame)
            with contextlib.suppress(OSError):  # the device is down: a cable that was cut
                os.write(self.target, frame)
                self.carried += 1


def wait_s(ways, now):
    dues = [way.queue[0][0] for way in ways if way.queue]
    return max(0.0, min(dues) - now) if dues else None


def main():
    left, right = int(sys.argv[1]), int(sys.argv[2])
    delay_s, loss, rng = float(sys.argv[3]) / 1000, float(sys.argv[4]), random.Random(sys.argv[5])
    ways = [Way(left, right), Way(right, left)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(OSError):  # delays hold while others compute
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        while True:
            ready, _, _ = select.select([left, right], [], [], wait_s(ways, time.monotonic()))
            now = time.monotonic()
            for way in ways:
                if way.source in ready:
                    way.take(now + delay_s, lambda: rng.random() < loss)
                way.give(now)
    finally:
        print(json.dumps({name: [getattr(way, name) for way in ways]
                          for name in ("carried", "lost", "overflowed")}), flush=True)


if __name__ == "__main__":
    main()
