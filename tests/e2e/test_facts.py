"""What a node knows of its engine reaches its peers: the GPU's load, the KV cache, other clients'
requests, labels and spot; and it is null where nobody knows."""

import concurrent.futures
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Emulated
from mesh import Mesh
from runner import equal, eventually, main, note, test
from web import call, chat_body, get

VISIBLE_S = 2.0  # from the engine's own figure to the peer's


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.gpu = Emulated("gpu", self.folder, "--like", "vllm", "--profile", "l4", "--model",
                            "m=llama-3.1-8b").start()
        self.plain = self.engine("plain", name="plain")
        self.seer = self.node("seer-1", tier="cloud")
        self.edge = self.node("edge-1", backends=[f"http://127.0.0.1:{self.gpu.port}"],
                              sets=["node.labels={site: shop-14, cameras: 4}", "node.spot=true"])
        self.other = self.node("edge-2", backends=[self.plain.url])
        self.start()
        eventually(lambda: {"m", "plain"} <= self.seer.model_nodes().keys(), "models of the mesh")

    def close(self):
        self.gpu.terminate()
        return super().close()

    def seen(self, name="edge-1"):
        return self.seer.nodes()[name]["backends"][0]


def busy(world, pool):
    """Requests of others at the engine, past the mesh."""
    body = chat_body("m", max_tokens=150, ignore_eos=True)
    return [pool.submit(call, world.gpu.port, "POST", "/v1/chat/completions", body, timeout_s=60)
            for _ in range(4)]


@test
def a_peer_sees_the_gpu_load_of_an_engine_within_two_seconds(world):
    eventually(lambda: world.seen()["gpu"]["load"] is not None, "the load of an idle GPU")
    equal(world.seen()["gpu"]["load"] < 0.5, True, "it is idle")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = busy(world, pool)
        eventually(lambda: world.gpu.metric("DCGM_FI_DEV_GPU_UTIL") >= 60, "the engine is busy")
        began = time.monotonic()
        eventually(lambda: world.seen()["gpu"]["load"] >= 0.5, "the load at a peer",
                   timeout_s=VISIBLE_S)
        note(f"seen by a peer after {time.monotonic() - began:.2f} s")
        seen = world.seen()
        assert 0 < seen["gpu"]["memory"] <= 1 and seen["gpu"]["temperature_c"] > 10, seen
        load = eventually(lambda: world.seer.nodes()["edge-1"]["load"]["inflight"],
                          "requests of others")
        equal(load, 4, "requests of others count as load")
        for answer in asked:
            equal(answer.result().status, 200, "an answer")
    eventually(lambda: world.seen()["gpu"]["load"] < 0.5 and
               world.seer.nodes()["edge-1"]["load"]["inflight"] == 0, "it is idle again")


@test
def what_nobody_knows_is_null(world):
    seen = world.seen("edge-2")
    equal(seen["gpu"], {"load": None, "memory": None, "temperature_c": None}, "GPU")
    equal((seen["kv"], seen["ttft_ms"], seen["error_rate"], seen["hardware"]),
          (None, {"p50": None, "p99": None}, None, None), "the rest")


@test
def labels_and_spot_are_known_everywhere(world):
    nodes = world.seer.nodes()
    equal(nodes["edge-1"]["labels"], {"site": "shop-14", "cameras": "4"}, "labels")
    equal(nodes["edge-1"]["spot"], True, "spot")
    equal((nodes["edge-2"]["labels"], nodes["edge-2"]["spot"]), ({}, False), "without any")


@test
def the_node_s_metrics_show_what_is_known(world):
    text = get(world.edge.http, "/metrics").body.decode()
    for name in ("gpu_load_ratio", "gpu_memory_ratio", "gpu_temperature_celsius", "kv_ratio"):
        assert f"\ngrapevine_backend_{name}{{" in text, text
    text = get(world.other.http, "/metrics").body.decode()
    assert "\ngrapevine_backend_gpu_load_ratio{" not in text, text


@test
def an_engine_that_is_gone_leaves_no_figures(world):
    world.gpu.kill()
    eventually(lambda: world.seen()["state"] == "down" and world.seen()["gpu"]["load"] is None,
               "the figures are not known any more")
    world.gpu.start()


if __name__ == "__main__":
    main(World)
