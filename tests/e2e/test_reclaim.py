"""A spot machine that is taken away: its node hears of it from the cloud's metadata service, as the
emulated engine and a small server play it, drains in time and ends well."""

import concurrent.futures
import http.server
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from emulated import Emulated
from mesh import Mesh, free_port
from runner import equal, eventually, main, note, test
from web import call, chat_body

NOTICE = "/latest/meta-data/spot/instance-action"
LEAD_MS = 10000


class Metadata(http.server.ThreadingHTTPServer):
    """A metadata service: what it answers by path, and what it was asked."""

    def __init__(self, answers, wants_token=False):
        super().__init__(("127.0.0.1", 0), MetadataHandler)
        self.answers, self.wants_token, self.asked = answers, wants_token, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"

    def end(self):
        self.shutdown()
        self.server_close()


class MetadataHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def say(self, status, body):
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.asked.append(dict(self.headers))
        if self.server.wants_token and self.headers.get("x-aws-ec2-metadata-token") != "secret":
            self.say(401, b"")
        else:
            self.say(*self.server.answers.get(self.path, (404, b"")))

    def do_PUT(self):
        is_right = (self.path == "/latest/api/token"
                    and self.headers.get("x-aws-ec2-metadata-token-ttl-seconds"))
        self.say(*((200, b"secret") if is_right else (400, b"")))

    def log_message(self, *_):
        pass


class World(Mesh):
    def __init__(self):
        super().__init__()
        flags = ("--like", "vllm", "--profile", "l4", "--model", "m=llama-3.1-8b")
        self.spot_engine = Emulated("spot-engine", self.folder, *flags).start()
        self.other_engine = Emulated("other-engine", self.folder, *flags).start()
        self.entry = self.node("entry")
        self.spot = self.node("spot", tier="cloud", backends=[self.url(self.spot_engine)],
                              sets=["node.spot=true",
                                    f"node.reclaim={self.url(self.spot_engine)}{NOTICE}"])
        self.other = self.node("other", tier="cloud", backends=[self.url(self.other_engine)])
        self.start()
        eventually(lambda: self.entry.model_nodes().get("m") == {"spot", "other"}, "the model")

    @staticmethod
    def url(engine):
        return f"http://127.0.0.1:{engine.port}"

    def close(self):
        for engine in (self.spot_engine, self.other_engine):
            if engine.is_running():
                engine.terminate()
        return super().close()

    def ended_well(self, node, timeout_s):
        eventually(lambda: not node.is_running(), f"{node.name} ends", timeout_s)
        equal(node.child.returncode, 0, "exit status")
        node.child.stdout.close()
        node.child = None  # looked at


@test
def a_node_drains_at_the_notice_and_ends_before_its_machine_does(world):
    # Long enough to be under way when the notice comes: it is finished.
    pool = concurrent.futures.ThreadPoolExecutor(1)
    long = pool.submit(call, world.spot.http, "POST", "/v1/chat/completions",
                       chat_body("m", stream=True, max_tokens=60, ignore_eos=True))
    eventually(lambda: world.spot.status()["inflight"] >= 1, "it is under way")
    began = time.monotonic()
    world.spot_engine.break_by("reclaim", for_ms=LEAD_MS)
    answer = long.result()
    assert answer.status == 200 and answer.body.rstrip().endswith(b"[DONE]"), answer
    for _ in range(10):
        equal(call(world.entry.http, "POST", "/v1/chat/completions",
                   chat_body("m", max_tokens=2)).status, 200, "requests go on")
    world.ended_well(world.spot, LEAD_MS / 1000)
    took_s = time.monotonic() - began
    note(f"drained {took_s:.1f} s after the notice, of {LEAD_MS / 1000:.0f} s")
    assert world.spot_engine.is_running(), "its machine was still there"
    assert '"event":"reclaimed"' in world.spot.log() and "terminate" in world.spot.log()
    equal(world.spot_engine.child.wait(20), 0, "the machine goes")
    world.node_list.remove(world.spot)


@test
def a_service_that_wants_a_token_gets_it(world):
    answers = {}
    service = Metadata(answers, wants_token=True)
    node = world.node("token", alone=True, sets=[f"node.reclaim={service.url(NOTICE)}"])
    node.start()
    eventually(lambda: any("secret" in fields.values() for fields in service.asked),
               "it asks with the token", 10)
    assert node.is_running() and "reclaim_unknown" not in node.log(), node.tail()
    answers[NOTICE] = (200, b'{"action":"stop","time":"2030-01-01T00:00:00Z"}')
    world.ended_well(node, 10)
    service.end()
    world.node_list.remove(node)


@test
def other_clouds_are_understood_and_a_silent_service_is_told_of_once(world):
    events = "/metadata/scheduledevents?api-version=2020-07-01"
    service = Metadata({events: (200, b'{"DocumentIncarnation":1,"Events":[]}')})
    node = world.node("azure", alone=True, sets=[f"node.reclaim={service.url(events)}"])
    node.start()
    eventually(lambda: len(service.asked) >= 2, "it asks", 10)
    names = {key.lower(): value for key, value in service.asked[-1].items()}
    equal((names["metadata"], names["metadata-flavor"]), ("true", "Google"), "what they want")
    service.answers[events] = (200, b'{"Events":[{"EventType":"Preempt","EventId":"1"}]}')
    world.ended_well(node, 10)
    service.end()
    world.node_list.remove(node)
    silent = world.node("silent", alone=True,
                        sets=[f"node.reclaim=http://127.0.0.1:{free_port()}/x"])
    silent.start()
    time.sleep(5)
    equal(silent.log().count("reclaim_unknown"), 1, "times that it is said")
    assert silent.is_running()


if __name__ == "__main__":
    main(World)
