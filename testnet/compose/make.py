"""Writes compose.yaml from a table of nodes, and more edges where asked: testnet/compose.yaml is
its output for the table as it stands (`make.py >../compose.yaml`; a test compares). Called by
testnet/up for --edges."""

import sys

import yaml

# name, tier, region, zone, engine: flags of grapevine-engine, "llama" (a real one), None
NODES = [
    ("regional-1", "regional", "eu-west", "rack-7", "--profile rtx4090 --model llama-3.1-8b"),
    ("regional-2", "regional", "us-east", "rack-2", "--profile l4 --model llama-3.1-8b"),
    ("cloud-1", "cloud", "eu-west", "a", "--profile h100 --model llama-3.1-8b"),
    ("cloud-2", "cloud", "us-east", "spot", "--profile a100 --model llama-3.1-8b"),
    ("edge-1", "edge", "eu-west", "shop-14",
     "--like llamacpp --profile jetson-agx --model llama-3.1-8b=llama-3.1-8b-q4"),
    ("edge-2", "edge", "us-east", "kiosk-3", None),
    ("edge-3", "edge", "eu-west", "lab", "llama"),
]
EDGES_MAX = 40
DIALS_OUT = ("edge-1",)  # listens on its own site's network only, where no other node is
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
HEAD = """# A fleet on one machine, in containers: made by compose/make.py, started by
# testnet/up, which builds the images and enrols the nodes. Every site has a network of its own,
# with its node and its engine; nodes meet on `wan`. HTTP is published on 127.0.0.1 alone.
"""


def more_edges(count):
    """Beyond those in the table, up to so many in all."""
    have = sum(row[1] == "edge" for row in NODES)
    return [(f"edge-{number}", "edge", ("eu-west", "us-east")[number % 2], f"shop-{number}", None)
            for number in range(have + 1, count + 1)]


def wan_address(number):
    return f"198.18.0.{10 + number}"


def site_address(number, host):
    return f"198.18.{1 + number}.{host}"


def node_service(number, row):
    name = row[0]
    return {
        "image": "grapevine", "hostname": name, **HARDENED, "mem_limit": "96m",
        "volumes": [f"{name}:/var/lib/grapevine"],
        "networks": {"wan": {"ipv4_address": wan_address(number)},
                     f"site-{name}": {"ipv4_address": site_address(number, 2)}},
        "ports": [f"127.0.0.1:{7380 + number}:7380"], "stop_grace_period": "20s",
        "command": ["run"], "restart": "unless-stopped"}


def engine_service(number, row):
    name, engine = row[0], row[4]
    network = {f"site-{name}": {"ipv4_address": site_address(number, 3)}}
    if engine == "llama":
        return {"image": "grapevine-llama", **HARDENED, "mem_limit": "1g", "cpus": 1,
                "tmpfs": ["/tmp"], "networks": network}
    return {"image": "grapevine-engine", **HARDENED, "mem_limit": "64m", "networks": network,
            "command": engine.split()}


def fleet(rows):
    services, networks = {}, {"wan": subnet("198.18.0.0/24")}
    for number, row in rows:
        services[row[0]] = node_service(number, row)
        networks[f"site-{row[0]}"] = subnet(site_address(number, 0) + "/28", number)
        if row[4]:
            services[f"engine-{row[0]}"] = engine_service(number, row)
    return services, networks


def subnet(net, number=None):
    config = {"subnet": net}
    if number is not None:
        config["gateway"] = site_address(number, 14)
    return {"ipam": {"config": [config]}}


def whole():
    services, networks = fleet(list(enumerate(NODES)))
    services["prometheus"] = {
        "image": "grapevine-prometheus", **HARDENED, "mem_limit": "256m", "tmpfs": ["/data"],
        "networks": ["wan", *(name for name in networks if name != "wan")],
        "ports": ["127.0.0.1:9090:9090"]}
    return {"services": services, "networks": networks,
            "volumes": {row[0]: {} for row in NODES}}


def extra(count):
    rows = list(enumerate(more_edges(count), len(NODES)))
    services, networks = fleet(rows)
    del networks["wan"]
    return {"services": services, "networks": networks, "volumes": {row[0]: {} for _, row in rows}}


def roster(count):
    """A line for each node, for testnet/up: name tier region zone mesh-address backend-or-dash
    dials-out."""
    for number, row in enumerate([*NODES, *more_edges(count)]):
        name, tier, region, zone, engine = row
        is_far = name in DIALS_OUT
        mesh = site_address(number, 2) if is_far else wan_address(number)
        backend = f"http://{site_address(number, 3)}:8000" if engine else "-"
        print(name, tier, region, zone, f"{mesh}:7300", backend, int(is_far), 7380 + number)


class Plain(yaml.SafeDumper):
    """No anchors: people read it."""

    def ignore_aliases(self, _):
        return True


def write(value):
    print(yaml.dump(value, Dumper=Plain, sort_keys=False, width=100), end="")


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if count > EDGES_MAX:
        sys.exit(f"make.py: at most {EDGES_MAX} edges")
    if len(sys.argv) == 1:
        print(HEAD, end="")
        write(whole())
    elif sys.argv[1] == "extra":
        write(extra(count))
    else:
        roster(count)


if __name__ == "__main__":
    main()
