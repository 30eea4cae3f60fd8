"""Makes a topology true: each site is a bridge in a network namespace that is its router too, each
node a namespace on its site's bridge, and between routers run cables that are as bad as the file
says: the kernel's netem where there is one, else link.py between TAP devices. All of it can be
changed while it runs, and nothing of it outlives this process. Needs root (netns.why_not).

Called by testnet/wan/wan and by the chaos runs; the nodes' processes are the caller's."""

import contextlib
import json
import pathlib
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/support"))
from netns import Segment, end_link, start_link
from shape import Shape

ANSWER_SIZE_MAX = 65536
WAYS = {"there": (0,), "back": (1,), "both": (0, 1)}
NAT = """table ip away {{
    chain leaves {{
        type nat hook postrouting priority 100;
        oifname != "br0" masquerade
    }}
    chain passes {{
        type filter hook forward priority 0;
        iifname != "br0" ct state new drop
    }}
}}"""
SILENCE = """table bridge silence_{port} {{
    chain from_it {{
        type filter hook prerouting priority 0;
        {mute}
    }}
    chain to_it {{
        type filter hook postrouting priority 0;
        {deaf}
    }}
}}"""


class Router(Segment):
    """A site: the bridge of its hosts, with an address of its own."""

    def __init__(self, site):
        super().__init__()
        self.site, self.silent = site, set()
        self.ip(f"address add {site.gateway}/{site.net.prefixlen} dev br0")
        with self.entered():
            pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def join(self, address):
        host = super().add(address, self.site.net.prefixlen)
        host.port = f"h{len(self.hosts) - 1}"
        host.ip(f"route add default via {self.site.gateway}")
        return host

    def silence(self, host, way="both"):
        """Nothing comes from it (mute), to it (deaf), or both, and nobody is told."""
        self.speak(host)
        rule = '{}ifname "' + host.port + '" drop'
        text = SILENCE.format(port=host.port, mute=rule.format("i") if way != "deaf" else "",
                              deaf=rule.format("o") if way != "mute" else "")
        self.run("nft", "-f", "-", text=text)
        self.silent.add(host.port)

    def speak(self, host):
        if host.port in self.silent:
            self.run("nft", "delete", "table", "bridge", f"silence_{host.port}")
            self.silent.discard(host.port)


class Network:
    def __init__(self, topology, seed=None):
        self.topology = topology
        self.seed = topology.seed if seed is None else seed
        self.folder = tempfile.TemporaryDirectory(prefix="grapevine-wan-")
        self.socket_path = pathlib.Path(self.folder.name) / "link.sock"
        self.routers, self.hosts, self.child = {}, {}, None
        self.shapes = {cable.name: [cable.shape, cable.shape] for cable in topology.cables}
        try:
            for name, site in topology.sites.items():
                self.routers[name] = Router(site)
            self.lay_cables()
            for name in topology.sites:
                self.route(name)
            for node in topology.nodes.values():
                self.hosts[node.name] = self.routers[node.site].join(node.address)
        except BaseException:
            self.close()
            raise

    # --- making

    def lay_cables(self):
        self.kind = "netem" if self.topology.cables and self.has_netem() else "user-space link"
        if self.kind == "netem":
            for cable in self.topology.cables:
                left, right = (self.routers[end] for end in cable.ends)
                device = self.device(cable)
                left.ip(f"link add {device} type veth peer name {device} netns {right.path}")
                self.by_netem(cable, (0, 1))
        elif self.topology.cables:
            taps = {}
            for cable in self.topology.cables:
                fds = [self.routers[end].tap(self.device(cable)) for end in cable.ends]
                taps[cable.name] = (*fds, cable.shape.words())
            self.child = start_link(self.seed, self.socket_path, taps)
        for cable in self.topology.cables:
            for end in cable.ends:
                device = self.device(cable)
                self.routers[end].ip(f"address add {cable.address(end)}/30 dev {device}",
                                     f"link set {device} up")

    def has_netem(self):
        router = next(iter(self.routers.values()))
        try:
            router.run("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
        except OSError:
            return False
        router.run("tc", "qdisc", "del", "dev", "lo", "root")
        return True

    def device(self, cable):
        return f"c{self.topology.cables.index(cable)}"

    def by_netem(self, cable, sides):
        for side in sides:
            self.routers[cable.ends[side]].run(
                "tc", "qdisc", "replace", "dev", self.device(cable), "root", "netem",
                *self.shapes[cable.name][side].netem())

    def route(self, name):
        router = self.routers[name]
        for net, cable in self.topology.routes(name):
            far = cable.address(cable.ends[1 - cable.ends.index(name)])
            router.ip(f"route add {net} via {far}")
        if router.site.nat:
            router.run("nft", "-f", "-", text=NAT.format())

    # --- changing

    def cable(self, *ends):
        for cable in self.topology.cables:
            if set(cable.ends) == set(ends):
                return cable
        raise ValueError(f"no cable between {' and '.join(ends)}")

    def reshape(self, cable, words, way="both"):
        """Changes what is named; "there" is the way from its first end to its second."""
        for side in WAYS[way]:
            shapes = self.shapes[cable.name]
            shapes[side] = Shape.read(words, shapes[side])
        if self.kind == "netem":
            self.by_netem(cable, WAYS[way])
        else:
            self.order({"cable": cable.name, "way": way, "shape": words})

    def cut(self, cable, way="both"):
        self.reshape(cable, {"loss": 1}, way)

    def heal(self, cable):
        """As the file says."""
        self.reshape(cable, cable.shape.words())

    def cables_of(self, site):
        return [cable for cable in self.topology.cables if site in cable.ends]

    def silence(self, name, way="both"):
        self.routers[self.topology.nodes[name].site].silence(self.hosts[name], way)

    def speak(self, name):
        self.routers[self.topology.nodes[name].site].speak(self.hosts[name])

    def order(self, order):
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as sock:
            sock.settimeout(10)
            sock.connect(str(self.socket_path))
            sock.send(json.dumps(order).encode())
            answer = json.loads(sock.recv(ANSWER_SIZE_MAX))
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer

    def counts(self):
        """What each cable carried and lost, there and back; {} where the kernel does it."""
        return self.order({})["counts"] if self.child else {}

    # --- ending

    def close(self):
        """{address: pids} of those that still have processes."""
        if self.child:
            end_link(self.child)
            self.child = None
        left = {}
        for place in (*self.hosts.values(), *self.routers.values()):
            if pids := place.pids():
                left[getattr(place, "address", "a router")] = pids
            place.close()
        self.hosts, self.routers = {}, {}
        self.folder.cleanup()
        return left
