"""Networks of one's own for tests: two segments (a bridge in a network namespace each) with hosts
in namespaces of theirs, and between the segments one long, lossy link: the kernel's netem where
there is one, else the testnet's own link between two TAP devices. Needs root; `why_not` says
whether it works here.

Namespaces have no names: they live as long as this process holds them open or a process is in them,
so nothing of them outlives a test, however it ends. Used by tests/e2e/test_gossip_wan.py and, for
networks of any form, by testnet/wan."""

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys

from mesh import ROOT, die_with_parent

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
OWN = "/proc/thread-self/ns/net"  # not /proc/self: that is the first thread's
LINK = ROOT / "testnet/wan/link.py"
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Namespace:
    def __init__(self):
        home = os.open(OWN, os.O_RDONLY)
        try:
            _checked(_libc.unshare(CLONE_NEWNET), "a network namespace")
            self.fd = os.open(OWN, os.O_RDONLY)
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET), "back to the own namespace")
            os.close(home)
        self.inode = os.fstat(self.fd).st_ino
        self.path = f"/proc/{os.getpid()}/fd/{self.fd}"
        with self.entered(), contextlib.suppress(OSError):  # it would only talk to itself
            pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
        self.ip("link set lo up")

    @contextlib.contextmanager
    def entered(self):
        """This thread, and the sockets that it makes, are inside."""
        home = os.open(OWN, os.O_RDONLY)
        try:
            _checked(_libc.setns(self.fd, CLONE_NEWNET), "into a namespace")
            yield
        finally:
            _checked(_libc.setns(home, CLONE_NEWNET), "back to the own namespace")
            os.close(home)

    def command(self, arguments):
        """The same command, inside; it keeps its pid."""
        return ["nsenter", f"--net={self.path}", *map(str, arguments)]

    def run(self, *arguments, text=None):
        done = subprocess.run(self.command(arguments), input=text, capture_output=True, text=True,
                              timeout=30)
        if done.returncode != 0:
            raise OSError(f"{' '.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout

    def ip(self, *lines):
        self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def connect(self, port, timeout_s):
        """A connection to a port of this namespace's loopback."""
        with self.entered():
            sock = socket.socket()
        sock.settimeout(timeout_s)
        try:
            sock.connect(("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return sock

    def tap(self, name):
        """A device whose frames are read from and written to the descriptor returned."""
        with self.entered():
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            try:
                flags = IFF_TAP | IFF_NO_PI
                fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
            except OSError:
                os.close(fd)
                raise
        return fd

    def pids(self):
        """Processes that are inside."""
        found = []
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == self.inode:
                    found.append(int(entry))
        return found

    def close(self):
        os.close(self.fd)


class Host(Namespace):
    """A namespace with one address, on a segment."""

    def __init__(self, address):
        super().__init__()
        self.address = address


class Segment(Namespace):
    """A bridge, in a namespace where no firewall of the machine's is in its way."""

    def __init__(self):
        super().__init__()
        self.hosts = []
        self.ip("link add br0 type bridge", "link set br0 up")

    def add(self, address, prefix):
        host, port = Host(address), f"h{len(self.hosts)}"
        self.hosts.append(host)
        self.ip(f"link add {port} type veth peer name eth0 netns {host.path}",
                f"link set {port} master br0 up")
        host.ip(f"address add {address}/{prefix} dev eth0", "link set eth0 up")
        return host


def start_link(seed, path, cables):
    """testnet/wan/link.py over {name: (fd, fd, shape)}; the descriptors are its own from now on."""
    words = [f"{name}={left}:{right}:{json.dumps(shape)}"
             for name, (left, right, shape) in cables.items()]
    fds = [fd for left, right, _ in cables.values() for fd in (left, right)]
    try:
        child = subprocess.Popen([sys.executable, "-B", str(LINK), str(seed), str(path), *words],
                                 pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 text=True, preexec_fn=die_with_parent)
    finally:
        for fd in fds:
            os.close(fd)
    if child.stdout.readline() != "ready\n":
        raise OSError(f"no link: {LINK.name} ended with {child.wait()}")
    return child


def end_link(child):
    """{cable: what it carried}"""
    child.terminate()
    try:
        counts, _ = child.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        counts, _ = child.communicate()
    return json.loads(counts) if counts else {}


class Wan:
    """Two segments, one subnet; between them a frame takes delay_ms, or with probability `loss` for
    ever."""

    def __init__(self, delay_ms, loss, seed):
        self.child, self.segments = None, []
        try:
            for _ in range(2):
                self.segments.append(Segment())
            if not self.by_netem(delay_ms, loss):
                self.by_taps(delay_ms, loss, seed)
            for segment in self.segments:
                segment.ip("link set wan master br0 up")
        except BaseException:
            self.close()
            raise

    def by_netem(self, delay_ms, loss):
        left, right = self.segments
        left.ip(f"link add wan type veth peer name wan netns {right.path}")
        self.kind = "netem"
        try:
            for segment in self.segments:
                segment.run("tc", "qdisc", "add", "dev", "wan", "root", "netem", "limit", "10000",
                            "delay", f"{delay_ms}ms", "loss", f"{loss:.3%}")
        except OSError:
            left.ip("link del wan")
            return False
        return True

    def by_taps(self, delay_ms, loss, seed):
        self.kind = "user-space link"
        left, right = (segment.tap("wan") for segment in self.segments)
        shape = {"delay": f"{delay_ms}ms", "loss": loss, "queue_bytes": 8 << 20}
        self.child = start_link(seed, "-", {"wan": (left, right, shape)})

    def cut(self):
        for segment in self.segments:
            segment.ip("link set wan down")

    def heal(self):
        for segment in self.segments:
            segment.ip("link set wan up")

    def namespaces(self):
        return [*self.segments, *(host for segment in self.segments for host in segment.hosts)]

    def stop_link(self):
        """What it carried, where it is ours; None for netem."""
        if not self.child:
            return None
        counts = end_link(self.child).get("wan", {})
        self.child = None
        return counts

    def close(self):
        """Ends the link and lets go of the namespaces; {namespace: pids} still inside."""
        self.stop_link()
        left = {}
        for namespace in self.namespaces():
            if pids := namespace.pids():
                left[getattr(namespace, "address", "a segment")] = pids
            namespace.close()
        self.segments = []
        return left


class Silence:
    """UDP between two hosts is lost on its way in, at both, without a word to the sender."""

    def __init__(self, *pair):
        self.pair = pair
        for host, other in (pair, pair[::-1]):
            host.run("nft", "-f", "-", text=f"""table inet silence {{
                chain input {{
                    type filter hook input priority 0;
                    ip saddr {other.address} meta l4proto udp counter drop
                }}
            }}""")

    def lost(self):
        """How many datagrams were lost so far."""
        count = 0
        for host in self.pair:
            listed = json.loads(host.run("nft", "-j", "list", "table", "inet", "silence"))
            parts = [part for item in listed["nftables"]
                     for part in item.get("rule", {}).get("expr", [])]
            count += sum(part["counter"]["packets"] for part in parts if "counter" in part)
        return count

    def end(self):
        for host in self.pair:
            host.run("nft", "delete", "table", "inet", "silence")


def why_not():
    """Why such networks cannot be had here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in ("ip", "nsenter", "nft") if not shutil.which(tool)]
    if missing:
        return f"no {', '.join(missing)} here"
    try:
        wan = Wan(1, 0, 1)
        try:
            left, right = wan.segments
            Silence(left.add("198.18.0.1", 16), right.add("198.18.1.1", 16)).end()
        finally:
            wan.close()
    except (OSError, subprocess.SubprocessError) as problem:
        return f"no network namespaces here: {problem}"
    return None
