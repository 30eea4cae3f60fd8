"""prefixes: a symbol that other files can see begins with the name of its file or folder.
globals: no storage that can change outlives a call, but in an object somebody owns."""

import glob
import os
import re

from layers import CORES, TOOLS
from source import Finding


def nouns_of_headers(path):
    """An object that a folder's header declares may be spread over several of its files."""
    headers = glob.glob(os.path.join(os.path.dirname(path), "*.h"))
    return sorted(f"{os.path.basename(h)[:-2]}_" for h in headers)


def prefixes_of(path):
    """What the visible symbols of a .c file may begin with; none where anything goes."""
    parts = path.split("/")
    noun = re.sub(r"\.[ch]$", "", parts[-1])
    if parts[0] == "base":
        return (f"{noun}_",)
    if parts[0] in CORES:
        return (f"{parts[0]}_",)
    if parts[0] == "node" and len(parts) == 2:
        return (f"{noun}_", "node_")
    if parts[0] in ("node", "testnet"):
        return (f"{noun}_", *(f"{folder}_" for folder in parts[1:-1]), *nouns_of_headers(path))
    if path.startswith("tests/sim/io/"):
        return (f"{noun}_", "io_", "sim_")
    return ()


def check(source):
    if not source.is_c:
        return
    prefixes = prefixes_of(source.path)
    product = source.under(*TOOLS)
    for item in source.items:
        visible = not item.is_static and (item.is_function or item.is_variable)
        fits = item.name == "main" or f"{item.name}_".startswith(prefixes)
        if visible and prefixes and not fits:
            wanted = " or ".join(prefixes)
            text = f"{item.name} does not begin with {wanted}: rename it or make it static"
            yield Finding(source.path, item.first, "prefixes", text)
        if product and item.is_variable and "const" not in item.head.replace("*", " ").split():
            text = f"{item.name} is a mutable global: give it an owner, or make it const"
            yield Finding(source.path, item.first, "globals", text)
    if product:
        yield from static_locals(source)


def static_locals(source):
    for number, line in enumerate(source.code.split("\n"), 1):
        if re.match(r"\s+static\s", line) and not re.search(r"\b(const|inline)\b", line):
            text = "a static local is a mutable global: give it an owner, or make it const"
            yield Finding(source.path, number, "globals", text)
