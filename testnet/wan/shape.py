"""What a cable does to frames: delay, jitter, loss, duplication, reordering, rate. Read from the
words of topology files, told to link.py or to the kernel's netem. Used by all of testnet/wan."""

import dataclasses
import re

UNITS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
UNITS_BIT_S = {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
DELAY_MAX_S = 60
QUEUE_BYTES = 1 << 20   # before a cable with a rate: survives a stall of this machine
NETEM_FRAMES = 10000


def duration_s(value):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", str(value))
    if not match:
        raise ValueError(f"{value!r} is no duration, such as 40ms")
    return float(match[1]) * UNITS_S[match[2]]


def share(value):
    """0.02, or 2%"""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)%", str(value))
    number = float(match[1]) / 100 if match else float(value)
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is no share, such as 2%")
    return number


def rate_bit_s(value):
    """50mbit; 0: no limit"""
    if value in (0, "0", None):
        return 0.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(kbit|mbit|gbit)", str(value))
    if not match or not float(match[1]):
        raise ValueError(f"{value!r} is no rate, such as 50mbit")
    return float(match[1]) * UNITS_BIT_S[match[2]]


READERS = {"delay": ("delay_s", duration_s), "jitter": ("jitter_s", duration_s),
           "loss": ("loss", share), "duplicate": ("duplicate", share),
           "reorder": ("reorder", share), "rate": ("rate_bit_s", rate_bit_s),
           "queue_bytes": ("queue_bytes", int)}


@dataclasses.dataclass(frozen=True)
class Shape:
    """Of one way. A frame takes delay_s and up to jitter_s more, in order, but for the share
    `reorder`, which waits for nobody."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    rate_bit_s: float = 0.0
    queue_bytes: int = QUEUE_BYTES

    @classmethod
    def read(cls, words, before=None):
        """From {"delay": "40ms", "loss": "2%", …}; what is not named stays as it was."""
        changes = {}
        for word, value in words.items():
            if word not in READERS:
                raise ValueError(f"a cable has no {word!r}: {', '.join(READERS)}")
            field, reader = READERS[word]
            changes[field] = reader(value)
        shape = dataclasses.replace(before or cls(), **changes)
        if shape.delay_s + shape.jitter_s > DELAY_MAX_S:
            raise ValueError(f"a delay above {DELAY_MAX_S} s")
        return shape

    def words(self):
        """What `read` takes."""
        return {"delay": f"{self.delay_s * 1000:.3f}ms", "jitter": f"{self.jitter_s * 1000:.3f}ms",
                "loss": self.loss, "duplicate": self.duplicate, "reorder": self.reorder,
                "rate": f"{self.rate_bit_s / 1e3:.3f}kbit" if self.rate_bit_s else 0,
                "queue_bytes": self.queue_bytes}

    def netem(self):
        """The same for `tc qdisc … netem`; its jitter is to both sides, and it has no seed before
        Linux 6.6."""
        arguments = ["limit", str(NETEM_FRAMES)]
        arguments += ["delay", f"{(self.delay_s + self.jitter_s / 2) * 1000:.3f}ms"]
        if self.jitter_s:
            arguments.append(f"{self.jitter_s * 500:.3f}ms")
        for word in ("loss", "duplicate", "reorder"):
            if value := getattr(self, word):
                arguments += [word, f"{value:.4%}"]
        if self.rate_bit_s:
            arguments += ["rate", f"{self.rate_bit_s:.0f}bit"]
        return arguments
