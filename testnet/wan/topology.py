"""Topology files: sites, each a network of its own with a router, cables between them, and the
nodes and engines that stand there. Read and checked here, made true by network.py.

    seed: 1
    sites:
      shop: {net: 198.18.1.0/24, region: eu-west, nat: true}   # nobody outside can dial in
      eu:   {net: 198.18.2.0/24, region: eu-west}
    cables:
      - {between: [shop, eu], delay: 8ms, jitter: 3ms, loss: 0.3%, rate: 50mbit}
    nodes:
      - {name: edge-1, site: shop, tier: edge}"""

import collections
import dataclasses
import ipaddress
import pathlib

import yaml

from shape import Shape

TEST_NETS = ipaddress.ip_network("198.18.0.0/15")  # RFC 2544
CABLE_NETS = ipaddress.ip_network("198.19.255.0/24")
SITES_MAX, CABLES_MAX, NODES_MAX = 16, 64, 64
TIERS = ("edge", "regional", "cloud")


class Bad(Exception):
    """A file that is wrong; says where."""


@dataclasses.dataclass(frozen=True)
class Site:
    name: str
    net: ipaddress.IPv4Network
    region: str
    nat: bool = False

    @property
    def gateway(self):
        return str(self.net[-2])


@dataclasses.dataclass(frozen=True)
class Cable:
    ends: tuple  # names of two sites
    net: ipaddress.IPv4Network
    shape: Shape

    @property
    def name(self):
        return "-".join(self.ends)

    def address(self, site):
        return str(self.net[1 + self.ends.index(site)])


@dataclasses.dataclass(frozen=True)
class Node:
    name: str
    site: str
    tier: str = "edge"
    zone: str = ""
    address: str = ""
    engine: dict = None  # flags of grapevine-engine; None: no engine
    sets: tuple = ()     # --set of `run`
    version: str = ""    # of the models that its engine serves


def check(condition, where, what):
    if not condition:
        raise Bad(f"{where}: {what}")


def fields(row, where, allowed, required=()):
    check(isinstance(row, dict), where, "not a map")
    for key in row:
        check(key in allowed, where, f"unknown {key!r}: {', '.join(allowed)}")
    for key in required:
        check(key in row, where, f"no {key!r}")
    return row


class Topology:
    def __init__(self, value, where="topology"):
        fields(value, where, ("about", "seed", "sites", "cables", "nodes"), ("sites",))
        self.seed = value.get("seed", 1)
        check(0 < len(value["sites"]) <= SITES_MAX, where, f"1 to {SITES_MAX} sites")
        self.sites = {name: self.read_site(name, row, f"{where}: sites.{name}")
                      for name, row in value["sites"].items()}
        nets = sorted(site.net for site in self.sites.values())
        for one, other in zip(nets, nets[1:]):
            check(not one.overlaps(other), where, f"{one} and {other} overlap")
        rows = value.get("cables", [])
        check(len(rows) <= CABLES_MAX, where, f"more than {CABLES_MAX} cables")
        parts = CABLE_NETS.subnets(new_prefix=30)
        self.cables = [self.read_cable(row, net, f"{where}: cables[{at}]")
                       for at, (row, net) in enumerate(zip(rows, parts))]
        names = [cable.name for cable in self.cables]
        check(len(names) == len(set(names)), where, "two cables between the same sites")
        self.nodes, self.used = {}, collections.Counter()
        for at, row in enumerate(value.get("nodes", [])):
            self.add(row, f"{where}: nodes[{at}]")

    @classmethod
    def load(cls, path):
        try:
            return cls(yaml.safe_load(pathlib.Path(path).read_text()), str(path))
        except yaml.YAMLError as problem:
            raise Bad(f"{path}: {problem}") from None

    def read_site(self, name, row, where):
        fields(row, where, ("net", "region", "nat"), ("net",))
        try:
            net = ipaddress.ip_network(row["net"])
        except ValueError as problem:
            raise Bad(f"{where}: {problem}") from None
        check(net.subnet_of(TEST_NETS), where, f"{net} is outside {TEST_NETS}")
        check(not net.overlaps(CABLE_NETS), where, f"{CABLE_NETS} belongs to the cables")
        check(net.prefixlen <= 28, where, "a network has at least 16 addresses")
        return Site(name, net, row.get("region", name), bool(row.get("nat")))

    def read_cable(self, row, net, where):
        check(isinstance(row, dict) and len(row.get("between", ())) == 2, where,
              "no `between: [SITE, SITE]`")
        words = {key: value for key, value in row.items() if key != "between"}
        for name in row["between"]:
            check(name in self.sites, where, f"no site {name!r}")
        check(row["between"][0] != row["between"][1], where, "leads back to where it begins")
        try:
            return Cable(tuple(row["between"]), net, Shape.read(words))
        except ValueError as problem:
            raise Bad(f"{where}: {problem}") from None

    def add(self, row, where):
        fields(row, where, ("name", "site", "tier", "zone", "engine", "sets", "version"),
               ("name", "site"))
        name, site, tier = row["name"], row["site"], row.get("tier", "edge")
        check(site in self.sites, where, f"no site {site!r}")
        check(tier in TIERS, where, f"no tier {tier!r}: {', '.join(TIERS)}")
        check(name not in self.nodes, where, f"a second {name!r}")
        check(len(self.nodes) < NODES_MAX, where, f"more than {NODES_MAX} nodes")
        self.used[site] += 1
        check(self.used[site] < self.sites[site].net.num_addresses - 3, where, f"{site} is full")
        address = str(self.sites[site].net[self.used[site]])
        self.nodes[name] = Node(name, site, tier, row.get("zone", ""), address, row.get("engine"),
                                tuple(row.get("sets", ())), row.get("version", ""))

    def routes(self, site):
        """[(network, cable to take)] to all that is not beside this site, by the fewest cables.
        What is behind NAT cannot be addressed."""
        first, waiting = {site: None}, collections.deque([site])
        while waiting:
            here = waiting.popleft()
            for cable in self.cables:
                if here in cable.ends:
                    there = cable.ends[1 - cable.ends.index(here)]
                    if there not in first:
                        first[there] = first[here] or cable
                        waiting.append(there)
        found = [(other.net, first[name]) for name, other in self.sites.items()
                 if name != site and name in first and not other.nat]
        found += [(cable.net, first[cable.ends[0]]) for cable in self.cables
                  if site not in cable.ends and cable.ends[0] in first]
        return found
