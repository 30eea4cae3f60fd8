"""What a node measures itself reaches its peers, and their policies: how the answers of its engines
were, and what the driver says of its GPUs. The driver is a scripted NVML (tests/support/nvml)."""

import contextlib
import ctypes
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Emulated
from mesh import Mesh
from runner import Skip, environment, equal, eventually, main, note, test
from web import call, chat, get

FAKE_NVML = environment("GV_FAKE_NVML", str(pathlib.Path(__file__).resolve().parents[2] /
                                            "build/dev/tests/support/nvml"))
VISIBLE_S = 4.0  # read once a second, looked at once a second, gossip
SLOW_S = 0.2
POLICY = """apiVersion: grapevine/v1
kind: RoutePolicy
metadata: {name: by-figures}
spec:
  match: 'request.model == "m"'
  steps:
    - {name: slow, where: '%s'}
"""


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.script_path = self.folder / "nvml"
        self.nvml("gpu 0 20 10240 40960 50", "gpu 1 60 20480 40960 70")
        self.engine_m = self.engine("m", name="m")
        self.engine_n = self.engine("n", name="n")
        self.vllm = Emulated("vllm", self.folder, "--like", "vllm", "--profile", "l4", "--model",
                             "v=llama-3.1-8b").start()
        self.seer = self.node("seer-1", tier="cloud", sets=["log.level=info"])
        self.edge = self.node("edge-1", sets=[
            f"backends=[{{name: first, url: '{self.engine_m.url}'}}, "
            f"{{name: second, url: '{self.engine_n.url}', gpu: 1}}, "
            f"{{name: cpu, url: '{self.engine_n.url}', hardware: cpu}}, "
            f"{{name: vllm, url: 'http://127.0.0.1:{self.vllm.port}'}}]"])
        self.seer.start()
        self.edge.start(env={"LD_LIBRARY_PATH": FAKE_NVML, "FAKE_NVML": str(self.script_path)})
        self.wait_linked()
        self.mark()

    def close(self):
        self.vllm.terminate()
        return super().close()

    def nvml(self, *lines):
        """What the driver says from now on."""
        following = self.script_path.with_suffix(".next")
        following.write_text("".join(f"{line}\n" for line in lines))
        following.rename(self.script_path)

    def seen(self, backend, node="edge-1"):
        """What the peer knows of it."""
        backends = self.seer.nodes()[node]["backends"]
        return next(b for b in backends if b["name"] == backend)

    def metrics(self, node):
        text = get(node.http, "/metrics").body.decode()
        return {name: float(value) for name, value in
                re.findall(r"^grapevine_(\S+) (\S+)$", text, re.M)}

    def counted(self, event):
        return self.edge.log().count(f'"event":"{event}"')


# --- GPUs

@test
def a_peer_sees_what_the_driver_says_of_each_backend_s_gpu(world):
    eventually(lambda: world.seen("first")["gpu"]["load"] is not None, "figures of the GPU")
    equal(world.seen("first")["gpu"], {"load": 0.2, "memory": 0.25, "temperature_c": 50}, "GPU 0")
    equal(world.seen("second")["gpu"], {"load": 0.6, "memory": 0.5, "temperature_c": 70}, "GPU 1")
    equal(world.seen("cpu")["gpu"], {"load": None, "memory": None, "temperature_c": None}, "CPU")
    world.nvml("gpu 0 90 10240 40960 50", "gpu 1 60 20480 40960 70")
    began = time.monotonic()
    eventually(lambda: world.seen("first")["gpu"]["load"] == 0.9, "its new load", VISIBLE_S)
    note(f"seen by a peer after {time.monotonic() - began:.2f} s")


@test
def what_the_engine_says_goes_before_the_driver(world):
    eventually(lambda: world.seen("vllm")["gpu"]["load"] is not None, "the engine's own figures")
    gpu = world.seen("vllm")["gpu"]
    assert gpu["load"] < 0.5, gpu  # it is idle; the driver says 0.9


@test
def the_node_s_metrics_show_gpus_and_how_old_that_is(world):
    found = world.metrics(world.edge)
    equal(found['backend_gpu_load_ratio{backend="second"}'], 0.6, "load")
    equal(found['gpu_memory_bytes{gpu="1"}'], 40960 * 2**20, "memory")
    equal(found['gpu_memory_used_bytes{gpu="1"}'], 20480 * 2**20, "memory in use")
    assert found["gpu_reads_total"] > 0 and found["gpu_read_failures_total"] == 0, found
    assert 0 <= found["gpu_reading_age_seconds"] < 5, found["gpu_reading_age_seconds"]
    assert "gpu_reading_age_seconds" not in world.metrics(world.seer), "nothing is read there"


@test
def a_driver_that_hangs_costs_the_figures_and_nothing_else(world):
    world.nvml("gpu 0 90 10240 40960 50", "gpu 1 60 20480 40960 70", "hang")
    eventually(lambda: world.seen("first")["gpu"]["load"] is None, "no figures", 15)
    equal(world.counted("gpus_not_read"), 1, "one line about it")
    for _ in range(20):
        equal(chat(world.edge.http, "m").status, 200, "an answer meanwhile")
    equal(world.metrics(world.edge)["gpu_read_failures_total"], 1, "failures")
    assert world.seen("vllm")["gpu"]["load"] is not None, "the engine's own stay"
    world.nvml("gpu 0 40 10240 40960 50", "gpu 1 60 20480 40960 70")
    eventually(lambda: world.seen("first")["gpu"]["load"] == 0.4, "it came back", 15)
    equal(world.counted("gpus_read"), 1, "one line about that")


# --- answers

@test
def what_was_not_asked_has_no_figures(world):
    nothing = {"p50": None, "p99": None}
    second = world.seen("second")
    equal((second["ttft_ms"], second["latency_ms"], second["tokens_per_s"], second["error_rate"]),
          (nothing, nothing, None, None), "nobody asked")
    assert not [name for name in world.metrics(world.edge)
                if name.startswith("backend_latency") and '"second"' in name], "no series"


@test
def a_peer_sees_how_the_answers_of_a_backend_were(world):
    for _ in range(10):
        answer = chat(world.edge.http, "m", stream=True,
                      engine={"do": "sse", "events": 20, "wait": SLOW_S, "delay": 0.01})
        equal(answer.status, 200, "an answer")
    for _ in range(3):
        call(world.edge.http, "POST", "/v1/chat/completions",
             {"model": "m", "messages": [], "engine": {"do": "500"}})
    first = eventually(lambda: world.seen("first")["error_rate"] and world.seen("first"),
                       "errors at a peer")
    assert SLOW_S * 1000 * 0.9 <= first["ttft_ms"]["p99"] < 5000, first
    assert first["ttft_ms"]["p99"] < first["latency_ms"]["p99"], first
    assert 0 < first["tokens_per_s"] < 1000, first
    assert 0 < first["error_rate"] < 1, first
    found = world.metrics(world.edge)
    for name in ("ttft_p99_seconds", "latency_p99_seconds"):
        assert found[f'backend_{name}{{backend="first"}}'] >= SLOW_S * 0.9, found
    for name in ("tokens_per_second", "error_ratio"):
        assert found[f'backend_{name}{{backend="first"}}'] > 0, found


@test
def they_are_facts_of_a_peer_s_policies(world):
    world.seer.cli("policy", "apply", "-f", "-",
                   stdin=POLICY % 'backend.latency.p99 > duration("150ms")')
    answer = eventually(lambda: (a := chat(world.seer.http, "m")).status == 200 and a, "an answer")
    decision = world.seer.json("explain", answer.fields["x-request-id"])["decisions"][0]
    chosen = next(c for c in decision["candidates"] if c["verdict"] == "chosen")
    equal((decision["policy"], chosen["step"]), ("by-figures", "slow"), "why")
    facts = chosen["facts"]
    for name in ("ttft.p50", "ttft.p99", "latency.p50", "latency.p99", "error_rate", "gpu.load",
                 "gpu.memory", "gpu.temperature"):
        assert f"backend.{name}" in facts, (name, facts)
    equal(facts["backend.gpu.load"], 0.4, "as the driver said")


# --- the end

@test
def a_driver_that_hangs_does_not_keep_the_node_from_ending(world):
    world.nvml("gpu 0 90 10240 40960 50", "hang")
    time.sleep(1.5)  # at least one read is under way
    began = time.monotonic()
    world.edge.child.send_signal(signal.SIGTERM)
    equal(world.edge.child.wait(20), 0, "its exit status")
    note(f"ended after {time.monotonic() - began:.2f} s")
    world.edge.start()


@test
def a_host_without_the_library_says_so_once_and_serves(world):
    with contextlib.suppress(OSError):
        ctypes.CDLL("libnvidia-ml.so.1")
        raise Skip("this host has the library")
    eventually(lambda: '"event":"gpus_not_read","reason":"not_found"' in world.edge.log(), "a line")
    eventually(lambda: chat(world.edge.http, "m").status == 200, "an answer")
    equal(world.counted("gpus_not_read"), 2, "one line, besides the hanging one's")


if __name__ == "__main__":
    main(World)
