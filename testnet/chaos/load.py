"""The load of a scenario: grapevine-load in the places of its entries, open loop, each answer
checked for its question's mark; and what became of every request, as rows for the judge. Used by
run.py."""

import json
import subprocess
import time

from emulated import LOAD
from mesh import die_with_parent

START_S = 10  # a load has begun by then


class Stream:
    """One process of the generator: all its requests are streams, or none is."""

    def __init__(self, load, number, fleet, seconds, rate, is_stream):
        self.load, self.is_stream = load, is_stream
        self.path = fleet.folder / f"load-{number}.jsonl"
        key = ["--key", fleet.keys[load.tenant]] if load.tenant else []
        words = [LOAD, "--target", "http://127.0.0.1:7380", "--model", load.model, "--rate", rate,
                 "--duration", seconds - load.since_s, "--marks", "--prompt-tokens",
                 load.prompt_tokens, "--output-tokens", load.output_tokens, "--timeout",
                 load.timeout_s, "--seed", fleet.scenario.seed * 1000 + number, "--history",
                 self.path, "-o", "json", *key, *([] if is_stream else ["--whole"])]
        self.command = fleet.named[load.entry].place.command(words)
        self.child = None

    def start(self):
        self.began = time.time()
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      preexec_fn=die_with_parent)

    def end(self, timeout_s):
        """Its summary."""
        out, error = self.child.communicate(timeout=timeout_s)
        assert self.child.returncode == 0, f"a load ended with {self.child.returncode}: {error}"
        return json.loads(out)

    def kill(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.communicate()

    def rows(self):
        """Times are wall clock, in seconds; `done` is the end of the answer or of hope."""
        for line in open(self.path):
            row = json.loads(line)
            yield {"entry": self.load.entry, "tenant": self.load.tenant, "stream": self.is_stream,
                   "at": self.began + row["intended_us"] / 1e6,
                   "done": self.began + row["done_us"] / 1e6,
                   "first": self.began + row["first_us"] / 1e6 if row["first_us"] else None,
                   **{key: row[key] for key in ("outcome", "begun", "status", "mark", "tokens",
                                                "node")}, "id": row["request_id"]}


class Loads:
    def __init__(self, fleet, scenario):
        self.streams = []
        for load in scenario.loads:
            for is_stream, part in ((True, load.streams), (False, 1 - load.streams)):
                if part > 0:
                    number = len(self.streams) + 1
                    self.streams.append(Stream(load, number, fleet, scenario.seconds,
                                               load.rate * part, is_stream))
        self.patience_s = max((load.timeout_s for load in scenario.loads), default=0)

    def end(self, seconds_left):
        return [stream.end(max(0, seconds_left) + self.patience_s + START_S)
                for stream in self.streams]

    def kill(self):
        for stream in self.streams:
            stream.kill()

    def rows(self):
        found = [row for stream in self.streams for row in stream.rows()]
        return sorted(found, key=lambda row: row["at"])
