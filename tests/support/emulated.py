"""The testnet's emulated engine and load generator as processes, for the end-to-end tests: started
with flags, asked, broken on command, ended, with a look at what a sanitizer had to say."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

from mesh import FINDINGS, ROOT, SANITIZERS, Process
from runner import environment, equal
from web import call, get

ENGINE = environment("GRAPEVINE_ENGINE", str(ROOT / "build/dev/grapevine-engine"))
LOAD = environment("GRAPEVINE_LOAD", str(ROOT / "build/dev/grapevine-load"))


class Emulated(Process):
    """grapevine-engine."""

    def __init__(self, name, folder, *flags):
        super().__init__(name, folder)
        self.flags, self.port = flags, None

    def start(self, timeout_s=30):
        match = self.spawn([ENGINE, *self.flags], r"ready http=127\.0\.0\.1:(\d+) like=\w+ .*",
                           timeout_s=timeout_s)
        self.port = int(match[1])
        return self

    def break_by(self, fault, **fields):
        answer = call(self.port, "POST", "/faults", {"fault": fault, **fields})
        equal(answer.status, 200, f"fault {fault}: {answer}")

    def mend(self):
        equal(call(self.port, "DELETE", "/faults").status, 200, "clearing faults")

    def metric(self, name):
        """The sum of a metric's series."""
        text = get(self.port, "/metrics").body.decode()
        found = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", text, re.M)
        assert found, f"no {name} in {text}"
        return sum(float(value) for value in found)


class Workshop:
    """A folder with engines in it; for runner.main."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="grapevine-e2e-"))
        self.engines = []

    def engine(self, *flags):
        engine = Emulated(f"engine-{len(self.engines)}", self.folder, *flags).start()
        self.engines.append(engine)
        return engine

    def load(self, *flags, timeout_s=60):
        """Runs grapevine-load; its summary."""
        done = subprocess.run([LOAD, *flags, "-o", "json"], capture_output=True, text=True,
                              timeout=timeout_s, env=SANITIZERS)
        assert done.returncode == 0, f"load ended with {done.returncode}: {done.stderr[-2000:]}"
        return json.loads(done.stdout)

    def show(self):
        for engine in self.engines:
            print(engine.tail(), flush=True)

    def close(self):
        for engine in self.engines:
            if engine.is_running():
                equal(engine.terminate(), 0, f"exit status of {engine.name}")
            found = FINDINGS.search(engine.log())
            assert not found, f"{engine.name}: {engine.tail(60)}"
        shutil.rmtree(self.folder)
