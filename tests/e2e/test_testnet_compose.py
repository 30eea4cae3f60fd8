#!/usr/bin/python3
"""The testnet in containers, where a container engine is: up, a chat through every node, data that
stays in its region, one node killed, down, and nothing left. Else only that its files are right."""

import contextlib
import http.client
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "testnet/compose")]
import make
from runner import Skip, equal, eventually, main, note, test

LABEL = "label=com.docker.compose.project=grapevine-testnet"
IMAGES = ("grapevine", "grapevine-engine", "grapevine-llama", "grapevine-prometheus")
PORTS = {row[0]: 7380 + number for number, row in enumerate(make.NODES)}


def docker(*arguments, timeout_s=60):
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.split()


def why_not():
    """Why it cannot be started here, or None."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True,
                                                    timeout=30).returncode != 0:
        return "no container engine"
    if not shutil.which("docker-compose") and subprocess.run(
            ["docker", "compose", "version"], capture_output=True, timeout=30).returncode != 0:
        return "no docker-compose"
    if docker("ps", "-aq", "--filter", LABEL):
        return "somebody's testnet is running: testnet/down"
    missing = [name for name in IMAGES if not docker("images", "-q", name)]
    return f"no images {', '.join(missing)}: run testnet/image" if missing else None


class World:
    def __init__(self):
        self.reason, self.keys = why_not(), {}

    def needs_engine(self):
        if self.reason:
            raise Skip(self.reason)

    def chat(self, node, model="best", tenant="demo"):
        """(status, what ran where, the answer)"""
        body = json.dumps({"model": model, "max_tokens": 8,
                           "messages": [{"role": "user", "content": "Hello!"}]})
        connection = http.client.HTTPConnection("127.0.0.1", PORTS[node], timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", body,
                               {"x-api-key": self.keys[tenant]})
            answer = connection.getresponse()
            return answer.status, answer.headers["grapevine-path"], json.loads(answer.read())

    def show(self):
        pass

    def close(self):
        if self.reason:
            return
        subprocess.run([ROOT / "testnet/down"], check=True, timeout=120, capture_output=True)
        for what in (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q")):
            equal(docker(*what, "--filter", LABEL), [], f"left after down: {what[0]}")


@test
def the_file_is_what_its_maker_writes_and_compose_takes_it(_):
    written = subprocess.run([sys.executable, "-B", ROOT / "testnet/compose/make.py"],
                             capture_output=True, text=True, check=True).stdout
    equal((ROOT / "testnet/compose.yaml").read_text(), written, "testnet/compose.yaml")
    for port in written.split("ports:")[1:]:
        assert port.split("\n")[1].strip().startswith("- 127.0.0.1:"), "published to the world"
    if shutil.which("docker-compose"):
        subprocess.run(["docker-compose", "-f", ROOT / "testnet/compose.yaml", "config", "-q"],
                       check=True, timeout=60)


@test(limit_s=240)
def up_enrols_all_and_ends_when_they_are_healthy(world):
    world.needs_engine()
    done = subprocess.run([ROOT / "testnet/up"], capture_output=True, text=True, timeout=230)
    equal(done.returncode, 0, done.stdout + done.stderr)
    for tenant in ("demo", "europe"):
        world.keys[tenant] = (ROOT / f"build/testnet/{tenant}.key").read_text().strip()
    note(next(line.strip() for line in done.stdout.splitlines() if "healthy" in line))


@test(limit_s=240)
def every_node_answers(world):
    world.needs_engine()
    for node in PORTS:
        status, path, answer = world.chat(node)
        equal((status, path.split(",")[0]), (200, node), str(answer))
    status, path, answer = world.chat("edge-1", "small")  # a real model, behind another node
    equal((status, path, answer["model"]), (200, "edge-1,edge-3", "smollm2"), str(answer))


@test
def a_tenants_data_stays_in_its_region(world):
    world.needs_engine()
    status, path, answer = world.chat("regional-1", tenant="europe")
    equal(status, 200, str(answer))
    regions = {row[0]: row[2] for row in make.NODES}
    equal({regions[name] for name in path.split(",")}, {"eu-west"}, path)
    status, _, answer = world.chat("edge-2", tenant="europe")
    equal((status, answer["error"]["code"]), (403, "residency"), "at a node of us-east")


@test(limit_s=90)
def a_node_is_killed_and_others_answer(world):
    world.needs_engine()
    container = docker("ps", "-q", "--filter", LABEL, "--filter",
                       "label=com.docker.compose.service=cloud-1")
    docker("kill", *container)
    for _ in range(10):
        status, path, answer = world.chat("edge-2")
        equal(status, 200, str(answer))
        assert "cloud-1" not in path, path
    docker("start", *container)
    eventually(lambda: docker("inspect", "--format", "{{.State.Health.Status}}",
                              *container) == ["healthy"], "healthy again", 60, 1)


if __name__ == "__main__":
    main(World)
