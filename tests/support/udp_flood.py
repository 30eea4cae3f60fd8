"""Sends garbage to a UDP port at a steady rate: random bytes, and real datagrams (a line of hex
each on stdin) that are cut short, have a bit turned over, or are said again. Prints how many it
sent. Deterministic by its seed. Started by tests/e2e/test_gossip_wan.py.

usage: udp_flood.py ADDRESS PORT RATE SECONDS SEED < CAPTURED"""

import contextlib
import random
import socket
import sys
import time

SIZE_MAX = 1500
VARIETY = 4000  # prepared beforehand: making one takes longer than sending it
BURST_S = 0.01


def altered(rng, captured):
    datagram = bytearray(rng.choice(captured))
    how = rng.randrange(3)
    if how == 0:
        return bytes(datagram[:rng.randrange(len(datagram))])
    if how == 1:
        datagram[rng.randrange(len(datagram))] ^= 1 << rng.randrange(8)
    return bytes(datagram)


def main():
    address, port = sys.argv[1], int(sys.argv[2])
    rate, seconds, rng = int(sys.argv[3]), float(sys.argv[4]), random.Random(sys.argv[5])
    captured = [bytes.fromhex(line) for line in sys.stdin if line.strip()]
    garbage = [altered(rng, captured) if captured and rng.random() < 0.5
               else rng.randbytes(rng.randrange(SIZE_MAX)) for _ in range(VARIETY)]
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, port))
    sent, started = 0, time.monotonic()
    while (age := time.monotonic() - started) < seconds:
        for _ in range(int(age * rate) - sent):
            with contextlib.suppress(OSError):  # a full queue, a refusal by ICMP
                sock.send(garbage[sent % VARIETY])
            sent += 1
        time.sleep(BURST_S)
    print(sent)


if __name__ == "__main__":
    main()
