"""Who may include whom. layers: base knows nobody, the four cores know base, the node knows each
core's one public header. doors: every foreign library is included behind one door only."""

import re

from source import Finding

CORES = ("gossip", "raft", "policy", "registry")
# A store is no part of its pure core: it blocks, has threads, and simulators replace it.
STORES = ("raft/store.h",)
PRODUCT = ("base", *CORES, "node")
TOOLS = (*PRODUCT, "testnet")  # the rules of the product hold for what tests it on the wire, too
MODULES = (*PRODUCT, "tests", "testnet")
# The testnet meets the product over sockets; of its code it shares the ground and these.
SHARED = re.compile(r"(base|testnet|node/io|node/http)/.*|node/(admin/json|cli/flags)\.h")


def layer_fault(path, target):
    """What is wrong with `path` including "target"; None when nothing is."""
    module, other = path.split("/")[0], target.split("/")[0]
    if "/" not in target and module not in PRODUCT:
        return None  # a helper beside a test
    if "/" not in target or other not in MODULES:
        return f'"{target}" is not a path from the root: write "folder/file.h"'
    if module == "testnet":
        if not SHARED.fullmatch(target):
            return f"testnet includes {target}: it meets the product over sockets"
        is_core = re.match(r"testnet/\w+/core/", path)
        if is_core and not re.match(r"base/|testnet/\w+/core/", target):
            return "a core of testnet includes more than base and itself: keep it pure"
        if path.split("/")[1] != target.split("/")[1] and other == "testnet":
            return "one tool of testnet includes another: they are apart"
    if module not in PRODUCT:
        return None
    if other not in PRODUCT:
        return f"product code includes {other}/: move what it needs into the product"
    if module == "base" and other != "base":
        return f"base includes {other}: base knows nobody, pass what it needs as an argument"
    if module in CORES and other not in (module, "base"):
        return f"{module} includes {other}: a core includes base only, let node/ join the two"
    if module == "node" and other in CORES and target not in (f"{other}/{other}.h", *STORES):
        return f'only "{other}/{other}.h" (and a store beside it) is for others: use or extend it'
    if path.startswith("node/io/") and other == "node" and not target.startswith("node/io/"):
        return "node/io includes the rest of the node: it is a leaf, take a callback instead"
    if target.startswith("node/cli/") and not re.match(r"node/(cli/|main\.c$)", path):
        return "the CLI is included by the rest of the node: move the shared part out of node/cli"
    return None


# (what is included, where it may be, where to go instead)
DOORS = (
    (r"uv\.h|uv/.*", r"node/io/uv_\w+\.[ch]", "node/io/uv_*.c; use the interfaces of node/io"),
    (r"openssl/sha\.h", r"base/digest\.c", "base/digest.c; use base/digest.h"),
    (r"openssl/.*", r"node/io/tls\.c|base/digest\.c", "node/io/tls.c"),
    (r"sodium(\.h|/.*)", r"base/crypto\.c", "base/crypto.c; use base/crypto.h"),
    (r"lmdb\.h", r"base/kv\.c", "base/kv.c; use base/kv.h"),
    (r"pcre2(posix)?\.h", r"policy/cel_regex\.c", "policy/cel_regex.c; use policy/cel_regex.h"),
    (r"msgpack(\.h|/.*)", r"gossip/wire\.c", "gossip/wire.c"),
    (r"protobuf-c/.*|.*\.pb-c\.h", r"(raft|registry|policy|node)/(.*/)?(wire\.c|codec\.[ch])",
     "a file named wire.c, and the codec under it"),
    (r"(llhttp|nghttp2/.*)(\.h)?", r"node/http/.*", "node/http; use node/http's headers"),
    (r"(cjson/)?cJSON\.h",
     r"node/((admin|cli|config)/.*|egress/inventory\.c|reclaim\.c)|testnet/.*/(\w+_)?read\.c",
     "node/admin, node/cli, node/config and node/egress/inventory.c (control data); testnet: a "
     "file named read.c"),
    (r"yaml\.h|libfyaml\.h", r"base/yaml\.c", "base/yaml.c; use base/yaml.h"),
    (r"raft(/(fixture|uv))?\.h", r"tests/sim/opponent/libraft\.c",
     "tests/sim/opponent/libraft.c (another Raft, not ours)"),
    (r"sys/(socket|un|epoll|select)\.h|(arpa|netinet)/.*|netdb\.h|poll\.h", r"node/io/.*",
     "node/io; use its streams, datagrams and addresses"),
    (r"dlfcn\.h", r"node/telemetry/nvml\.c", "node/telemetry/nvml.c"),
    (r"pthread\.h|threads\.h|semaphore\.h", r"node/io/.*", "node/io; use its workers"),
)


def check(source):
    if not source.is_c:
        return
    for line, target, quoted in source.includes:
        ours = quoted and not target.endswith(".pb-c.h")
        fault = layer_fault(source.path, target) if ours else None
        if fault:
            yield Finding(source.path, line, "layers", fault)
        if not source.under(*TOOLS, "tests/sim"):
            continue
        for header, door, instead in DOORS:
            if re.fullmatch(header, target) and not re.fullmatch(door, source.path):
                text = f"<{target}> may be included only in {instead}"
                yield Finding(source.path, line, "doors", text)
