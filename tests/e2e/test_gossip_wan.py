"""Thirty nodes of two regions, each in a network namespace of its own, 40 ms and 2 % loss between
the regions (tests/support/netns.py): they find each other from one contact each; a node is killed,
another stopped, the regions are cut apart, UDP is blocked, garbage is sent, while a small load of
requests goes through nodes that have no engine. Needs root.

A failure shows what the logs of those concerned say about it (tests/support/wan_world.py)."""

import pathlib
import random
import select
import shutil
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import mesh
from mesh import ROOT, Mesh, die_with_parent, run_cli
from netns import Silence, Wan, why_not
from runner import SKIPPED, equal, eventually, main, note, test
from wan_world import MODEL, Alarms, FarNode, NearEngine, Traffic

REGIONS = {"a": "east", "b": "west"}  # by the first letter of a node's name
PER_REGION = 15
GATEWAYS = 3
ROUND_TRIP_MS, LOSS, SEED = 40, 0.02, 11
FAR_CONTACTS = {"a-00": "b-00", "b-00": "a-00", "a-07": "b-03", "b-09": "a-05"}  # others: at home
WITH_ENGINE = ("a-05", "a-06", "b-05")
ENTRIES = ("a-03", "a-08", "b-02", "b-08")
KILLED, STOPPED, FLOODED = "a-05", "a-11", "b-07"
SILENT_PAIRS = (("a-02", "a-09"), ("b-03", "b-11"))
LEAVING = ("a-14", "b-14")
FORGOTTEN_S = 30  # a former gateway goes 10 s after its last change, and is looked for each 10 s
REQUESTS_PER_S = 12
ETH_P_ALL = 3  # Linux, if_ether.h
MESH_PORT, HTTP_PORT, ENGINE_PORT = 7300, 7380, 8081
FLOOD_RATE, FLOOD_S = 50_000, 3
FLOOD_RSS_KIB = 4096
IS_SANITIZED = b"__asan_init" in pathlib.Path(mesh.GRAPEVINE).read_bytes()


class World(Mesh):
    def __init__(self):
        super().__init__()
        self.traffic = self.token = None
        self.named = {}
        self.links_before = host_links()
        self.wan = Wan(ROUND_TRIP_MS / 2, LOSS, SEED)
        try:
            for number in range(PER_REGION):
                for region in REGIONS:
                    self.make(region, number)
            self.alarms = Alarms()
        except BaseException:
            self.close()
            raise

    def make(self, region, number):
        name, side = f"{region}-{number:02}", list(REGIONS).index(region)
        place = self.wan.segments[side].add(f"198.18.{side}.{number + 1}", 16)
        node = FarNode(name, self.folder, [])
        node.place, node.addr = place, f"{place.address}:{MESH_PORT}"
        options = ["--dir", node.dir, "--name", name, "--region", REGIONS[region], "--tier", "edge",
                   "--http", f"127.0.0.1:{HTTP_PORT}", "--mesh", node.addr]
        if name in WITH_ENGINE:
            engine = NearEngine(f"engine-of-{name}", self.folder, MODEL, "openai", ())
            engine.place, engine.port = place, ENGINE_PORT
            engine.start()
            self.engines.append(engine)
            options += ["--backend", engine.url]
        if self.token:
            run_cli("join", self.token, *options)
        else:
            run_cli("init", *options)
            self.token = node.invite("--uses", "100")
        self.node_list.append(node)
        self.named[name] = node

    def start(self):
        rng = random.Random(SEED)
        for node in self.node_list:
            number = int(node.name[2:])
            contact = FAR_CONTACTS.get(node.name) or f"{node.region}-{rng.randrange(number):02}"
            node.sets = [f"peers=[{self.named[contact].addr}]"]
        for node in self.node_list:
            node.start()

    # --- what is seen

    def running(self, region=None, but=()):
        return [node for node in self.node_list if node.is_running() and node.name not in but
                and (region is None or node.region == region)]

    def disagreement(self, views=None, but_former=False):
        """None when all of each region see each other alive under the same incarnations, and the
        same gateways of the other region (and, if `but_former`, some that were one not long ago);
        else what is missing first."""
        for region in REGIONS:
            nodes = self.running(region)
            names, first, abroad = {node.name for node in nodes}, None, None
            for node in nodes:
                seen = views[node.name] if views else node.nodes()
                near = {name: (row["state"], row["incarnation"]) for name, row in seen.items()
                        if name in names}
                missing = {name: near.get(name) for name in names
                           if near.get(name, [None])[0] != "alive"}
                if missing:
                    return f"{node.name} does not see alive: {missing}"
                first = first or (node.name, near)
                if near != first[1]:
                    return f"{node.name} and {first[0]} differ: {near.items() ^ first[1].items()}"
                # Rows of those that are only linked are listed too: all list the same gateways,
                # and gossip has no others.
                far = {name for name, row in seen.items() if is_member_abroad(node, row)
                       and row["state"] == "alive"}
                abroad = far if abroad is None else abroad & far
                alive = node.metrics()['members{state="alive"}']
                has_more = alive > len(names) + GATEWAYS and not but_former
                if len(abroad) < GATEWAYS or has_more:
                    return f"{node.name} has {alive:.0f} members, abroad {sorted(far)}"
        return None

    def agrees(self, what, timeout_s):
        started, took_s = time.monotonic(), []
        for but_former, limit_s in ((True, timeout_s), (False, timeout_s + FORGOTTEN_S)):
            while last := self.disagreement(but_former=but_former):
                is_late = time.monotonic() > started + limit_s
                assert not is_late, f"not within {limit_s} s: {what}: {last}"
                time.sleep(0.2)
            took_s.append(time.monotonic() - started)
        note(f"{what} after {took_s[0]:.1f} s; former gateways forgotten after {took_s[1]:.1f} s")

    def seen_by_all(self, subject, is_so, what, timeout_s, observers):
        """Until every observer's row of the subject is so; shows those that were not."""
        started = time.monotonic()
        waiting = list(observers)
        while True:
            waiting = [node for node in waiting if not is_so(node.nodes().get(subject))]
            if not waiting:
                took_s = time.monotonic() - started
                note(f"{subject} {what} at {len(observers)} after {took_s:.1f} s")
                return
            if time.monotonic() > started + timeout_s:
                break
            time.sleep(0.05)
        logs = "\n".join(node.lines_about([subject]) for node in waiting[:3])
        raise AssertionError(f"{subject} not {what} within {timeout_s} s at "
                             f"{[node.name for node in waiting]}:\n{logs}")

    def no_request_failed(self, when, may_break=False):
        """may_break: an answer that had begun may end with its node, or with the way to it."""
        t = self.traffic
        note(f"requests: {t.sent} sent, answered by {dict(sorted(t.executors.items()))}, "
             f"{len(t.broken)} broken after their first byte, slowest {t.slowest:.1f} s")
        failed, t.failed = t.failed, []
        broken, t.broken = t.broken, []
        assert not failed, f"{len(failed)} requests failed {when}:\n" + "\n".join(failed[:8])
        is_fine = not broken or may_break
        assert is_fine, f"{len(broken)} answers broke off {when}:\n" + "\n".join(broken[:8])

    def no_false_alarm(self):
        false, stalled = self.alarms.false_ones(self.node_list)
        if stalled:
            stalls = self.alarms.stalls
            note(f"{stalled} suspicions about {len(stalls.found)} stalls of this machine "
                 f"(worst {stalls.worst:.1f} s)")
        self.show_false(false)

    def show_false(self, false):
        if not false:
            return
        subjects = {event.subject for event in false}
        logs = "\n".join(self.named[name].lines_about(subjects)
                         for name in sorted({event.observer for event in false})[:4])
        lines = "\n".join(f"    {time.strftime('%H:%M:%S', time.gmtime(e.time))}"
                          f".{int(e.time % 1 * 1000):03} {e.observer}: {e.subject} {e.kind}"
                          f" by {e.by}" for e in false[:20])
        raise AssertionError(f"{len(false)} false alarms:\n{lines}\n{logs}")

    # --- ending

    def show(self):
        """Which logs matter is in the failure's own words."""

    def close(self):
        if self.traffic:
            self.traffic.stop()
        problems = [f"{node.name} ended by itself: {node.child.returncode}\n{node.tail()}"
                    for node in self.node_list
                    if node.child and node.child.poll() not in (None, 0, -9)]
        problems += stop(self.running())
        for node in self.node_list:
            problems += [f"{node.name}: {line}" for line in node.findings()[:5]]
        for engine in self.engines:
            if engine.is_running():
                engine.terminate()
        counts = self.wan.stop_link()
        left = self.wan.close()
        if counts:
            note(f"{self.wan.kind}: {counts}")
        if left:
            problems.append(f"processes left in the namespaces: {left}")
        if (now := host_links()) != self.links_before:
            problems.append(f"network links left: {sorted(now - self.links_before)}")
        if problems:
            print(f"    (kept: {self.folder})")
            raise AssertionError("\n".join(problems))
        shutil.rmtree(self.folder)


def host_links():
    found = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {line.split(":")[1].strip() for line in found.splitlines()}


def stop(nodes, timeout_s=30):
    """SIGTERM to all at once; what was wrong."""
    problems, deadline = [], time.monotonic() + timeout_s
    for node in nodes:
        node.resume()
        node.child.terminate()
    for node in nodes:
        try:
            code = node.child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            node.kill()
            code = f"none within {timeout_s} s of SIGTERM"
        else:
            node.child.stdout.close()
        if code != 0:
            problems.append(f"{node.name}: exit status {code}\n{node.tail(30)}")
    return problems


def is_member_abroad(node, row):
    """Of a node that was only linked no record ever came, hence no version."""
    return row["name"][0] != node.region and row["version"] is not None


def is_state(*states):
    return lambda row: row is not None and row["state"] in states


def is_alive_above(incarnation):
    def is_so(row):
        return row is not None and row["state"] == "alive" and row["incarnation"] > incarnation
    return is_so


# --- the network ------------------------------------------------------------------------------


@test
def the_regions_are_forty_milliseconds_apart_and_lose_frames(world):
    near, far = (world.named[name].place for name in ("a-00", "b-00"))
    with near.entered():
        here = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with far.entered():
        there = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    here.bind((near.address, 9000))
    there.bind((far.address, 9000))
    sent, times, count = {}, [], 1000
    for number in range(count + 100):  # the last ones only wait
        if number < count:
            sent[number] = time.monotonic()
            here.sendto(b"%d" % number, (far.address, 9000))
        pause = time.monotonic() + 0.002
        while (left := pause - time.monotonic()) > 0:
            for sock in select.select([here, there], [], [], left)[0]:
                data, source = sock.recvfrom(100)
                if sock is there:
                    there.sendto(data, source)
                else:
                    times.append(time.monotonic() - sent[int(data)])
    here.close()
    there.close()
    lost = 1 - len(times) / count
    note(f"{world.wan.kind}: round trip {min(times) * 1000:.1f} ms at least, "
         f"{statistics.median(times) * 1000:.1f} ms mostly, {lost:.1%} lost in two crossings")
    assert min(times) * 1000 >= ROUND_TRIP_MS * 0.95, min(times)
    assert LOSS < lost < 5 * LOSS, f"{lost:.1%} lost, expected about {2 * LOSS:.1%}"


# --- the mesh ---------------------------------------------------------------------------------


@test(limit_s=120)
def thirty_find_each_other_from_one_contact_each(world):
    world.start()
    world.agrees("all of each region know each other and the gateways of the other", 30)
    for region in REGIONS:
        wanted = {name for name in WITH_ENGINE if name[0] == region}
        for entry in ENTRIES:
            node = world.named[entry]
            if node.region == region:
                eventually(lambda: wanted <= node.model_nodes().get(MODEL, set()),
                           f"{MODEL} of {wanted} at {entry}", 10)
    world.traffic = Traffic([world.named[name] for name in ENTRIES], REQUESTS_PER_S)
    time.sleep(3)
    world.no_request_failed("with all well")
    assert set(world.traffic.executors) >= set(WITH_ENGINE), world.traffic.executors
    world.no_false_alarm()


@test
def a_killed_node_is_down_everywhere_and_no_request_fails(world):
    victim = world.named[KILLED]
    others = world.running(victim.region, but=[KILLED])
    before = others[0].nodes()[KILLED]["incarnation"]
    end = world.alarms.cause(("suspect", "down"), lambda _, subject: subject == KILLED)
    victim.kill()
    try:
        world.seen_by_all(KILLED, is_state("down"), "down", 8, others)
        time.sleep(1)
        world.no_request_failed("while a node with an engine was killed", may_break=True)
    finally:
        victim.start()
        end(after_s=3)
    world.seen_by_all(KILLED, is_alive_above(before), "above and back", 15, others)
    world.no_request_failed("while it came back")


@test(limit_s=90)
def a_stopped_node_is_suspected_and_comes_back_above(world):
    victim = world.named[STOPPED]
    others = world.running(victim.region, but=[STOPPED])
    before = others[0].nodes()[STOPPED]["incarnation"]
    end = world.alarms.cause(("suspect", "down"), lambda _, subject: subject == STOPPED)
    victim.pause()
    stopped = time.monotonic()
    try:
        world.seen_by_all(STOPPED, is_state("suspect", "down"), "suspected", 6, others)
        time.sleep(max(0, stopped + 6 - time.monotonic()))
        states = sorted(node.nodes()[STOPPED]["state"] for node in others)
        note(f"after 6 s down at {states.count('down')}, suspect at {states.count('suspect')}")
        assert states.count("alive") == 0, states
    finally:
        victim.resume()
        end(after_s=10)
    world.seen_by_all(STOPPED, is_alive_above(before), "above and back", 10, others)
    world.agrees("all agree again", 10)
    world.no_request_failed("while a node was stopped")


@test(limit_s=120)
def regions_that_were_cut_apart_agree_again(world):
    end = world.alarms.cause(("suspect", "down"), lambda by, subject: by[0] != subject[0])
    world.wan.cut()
    try:
        time.sleep(20)
        views = {node.name: node.nodes() for node in world.running()}
        far = [row["state"] for name, seen in views.items() for row in seen.values()
               if is_member_abroad(world.named[name], row)]
        note(f"abroad after 20 s: { {state: far.count(state) for state in sorted(set(far))} }")
        for name, seen in views.items():
            bad = {other: row["state"] for other, row in seen.items()
                   if other[0] == name[0] and row["state"] != "alive"}
            equal(bad, {}, f"of its own region {name} holds for not alive")
        assert "alive" not in far, f"{far.count('alive')} rows say that somebody abroad is alive"
        world.no_request_failed("while the regions were apart", may_break=True)
    finally:
        world.wan.heal()
        end(after_s=15)
    world.agrees("both regions agree again", 30)
    views = {node.name: {row["name"]: row for row in node.json("ls", "nodes")["nodes"]}
             for node in world.running()}
    equal(world.disagreement(views), None, "by `ls nodes -o json`")
    world.no_request_failed("while they met again")


@test(limit_s=90)
def udp_blocked_between_two_makes_nobody_down(world):
    silences, started = [], time.monotonic()
    try:
        for pair in SILENT_PAIRS:
            silences.append(Silence(*(world.named[name].place for name in pair)))
        time.sleep(10)
        # Two of fifteen probe each other every fourteen seconds or so.
        eventually(lambda: all(silence.lost() for silence in silences),
                   "a lost datagram between each pair", 40, 0.5)
        lost = [silence.lost() for silence in silences]
    finally:
        for silence in silences:
            silence.end()
    note(f"datagrams lost in {time.monotonic() - started:.0f} s: {lost}")
    for node in world.running():
        down = [name for name, row in node.nodes().items() if row["state"] == "down"
                and (name[0] == node.region or is_member_abroad(node, row))]
        equal(down, [], f"down at {node.name}")
    world.no_request_failed("while UDP was blocked")


def capture(node, seconds):
    """Datagrams of gossip that it sent and was sent."""
    with node.place.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    found, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and len(found) < 200:
        if not select.select([sock], [], [], left)[0]:
            break
        packet = sock.recv(65536)
        udp = packet[(packet[0] & 15) * 4:]
        if packet[9] == socket.IPPROTO_UDP and int.from_bytes(udp[2:4], "big") == MESH_PORT:
            found.append(udp[8:])
    sock.close()
    return found


def refused(metrics):
    """{reason: how many}"""
    return {name.split('"')[1]: int(value) for name, value in metrics.items()
            if name.startswith("gossip_refused")}


@test(limit_s=90)
def a_flood_of_garbage_is_refused_and_counted_and_costs_no_memory(world):
    node = world.named[FLOODED]
    captured = capture(node, 5)
    assert len(captured) >= 8, f"only {len(captured)} datagrams of gossip in 5 s"
    before, rss_before = node.metrics(), node.rss_kib()
    # A full socket loses real datagrams too: then links show who is alive.
    end = world.alarms.cause(("suspect",), lambda *both: FLOODED in both)
    flood = subprocess.Popen(
        node.place.command([sys.executable, ROOT / "tests/support/udp_flood.py", node.place.address,
                            MESH_PORT, FLOOD_RATE, FLOOD_S, SEED]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
    sent, _ = flood.communicate("\n".join(datagram.hex() for datagram in captured), timeout=30)
    end(after_s=10)
    equal(flood.returncode, 0, "the flood's exit status")
    eventually(node.status, "an answer on its control socket", 10)
    assert node.is_running(), f"it ended: {node.child.returncode}\n{node.tail(40)}"
    after, rss_after = node.metrics(), node.rss_kib()
    came = int(after['gossip_packets_total{way="datagram_in"}']
               - before['gossip_packets_total{way="datagram_in"}'])
    counted = {reason: count - refused(before).get(reason, 0)
               for reason, count in refused(after).items()}
    note(f"{int(sent)} sent, {came} taken from the socket; refused: {counted}; "
         f"memory {rss_before} -> {rss_after} KiB")
    assert came > FLOOD_RATE / 10, "the flood did not arrive"
    assert sum(counted.values()) > came * 0.9 - 1000, "what was refused was not counted"
    if not IS_SANITIZED:  # its allocator keeps what is freed
        assert rss_after - rss_before < FLOOD_RSS_KIB, "memory grew"
    world.agrees("all agree", 10)
    world.no_request_failed("while one node was flooded")


@test
def nobody_was_suspected_without_a_cause(world):
    world.no_false_alarm()


@test(limit_s=90)
def all_leave_and_say_so(world):
    problems = stop([world.named[name] for name in LEAVING])
    for name in LEAVING:
        world.seen_by_all(name, is_state("left"), "left", 10, world.running(name[0]))
    world.no_request_failed("while two nodes left")
    world.traffic.stop()
    problems += stop(world.running())
    assert not problems, "\n".join(problems)
    equal(world.traffic.failed[:5], [], "requests that failed at the end")
    world.no_false_alarm()
    seen = {event.subject for node in world.node_list for event in node.events()
            if event.kind == "left"}
    note(f"{len(seen)} of {len(world.node_list)} were seen leaving")


if __name__ == "__main__":
    if reason := why_not():
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    main(World)
