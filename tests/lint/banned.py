"""Functions that are not called here: unsafe ones anywhere; in the product those that print, and
outside node/io and the CLI those that reach for clocks, chance, files, sockets or threads, because
the simulator must be able to stand in for the world."""

import re

from layers import TOOLS
from source import Finding

UNSAFE = {
    "strcpy": "struct buf or bytes_to_str",
    "strcat": "struct buf",
    "sprintf": "snprintf or buf_printf",
    "vsprintf": "vsnprintf or buf_printf",
    "gets": "a stream with a limit",
    "strtok": "bytes_find and bytes_skip",
    "atoi": "bytes_to_u64",
    "atol": "bytes_to_u64",
    "atof": "strtod with its end checked",
    "alloca": "an arena",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}
PRODUCT_ONLY = {
    "setjmp": "an enum err",
    "longjmp": "an enum err",
    "system": "nothing: no shell runs here",
    "popen": "nothing: no shell runs here",
    "localtime": "numbers in milliseconds, formatted by base",
    "rand": "base/rng.h",
    "srand": "base/rng.h",
    "random": "base/rng.h",
    "drand48": "base/rng.h",
    "time": "the now_ms that is handed in",
    "assert": "CHECK, which stays on in release",
    "printf": "the log, or an err for whoever ends the propagation",
    "fprintf": "the log, or an err for whoever ends the propagation",
    "puts": "the log, or an err for whoever ends the propagation",
    "perror": "the log, or an err for whoever ends the propagation",
}
WORLD = {
    "clock_gettime": "the now_ms that is handed in",
    "gettimeofday": "the now_ms that is handed in",
    "getenv": "the config, or node/cli",
    "secure_getenv": "the config, or node/cli",
    "open": "node/io",
    "openat": "node/io",
    "creat": "node/io",
    "fopen": "node/io",
    "socket": "node/io",
    "fork": "node/io",
    "sleep": "a timer of node/io",
    "usleep": "a timer of node/io",
    "nanosleep": "a timer of node/io",
    "getrandom": "crypto_random",
    r"pthread_\w+": "a worker of node/io",
    r"uv_\w+": "node/io",
}
# What one file is there for, or cannot do without.
EXCUSED = {
    "base/err.c": ("fprintf",),  # the last words of a failed CHECK
    "base/state.c": ("fprintf",),  # the same for a forbidden move
    "base/disk.c": ("open",),  # the door to the disk
    "base/kv.c": ("setjmp", "longjmp"),  # LMDB's assertions
}
PRINTING = ("printf", "fprintf", "puts", "perror")


def banned_in(source):
    table = dict(UNSAFE)
    if not source.under(*TOOLS, "tests/sim"):
        return table
    table.update(PRODUCT_ONLY)
    is_main = re.fullmatch(r"node/main\.c|testnet/\w+/main\.c", source.path)
    talks = source.under("node/cli", "tests/sim") or is_main
    if talks:
        for name in PRINTING:
            del table[name]
    if source.under("node/cli", "node/io"):
        del table["time"]
    elif not is_main and not re.fullmatch(r"tests/sim/\w+_sim\.c", source.path):
        table.update(WORLD)
        if source.under("tests/sim"):
            del table["fopen"]  # traces
    for name in EXCUSED.get(source.path, ()):
        table.pop(name, None)
    return table


def check(source):
    if not source.is_c:
        return
    table = banned_in(source)
    pattern = re.compile(rf"(?<![\w.>])({'|'.join(table)})\s*\(")
    for number, line in enumerate(source.code.split("\n"), 1):
        for match in pattern.finditer(line):
            name = match.group(1)
            declares = re.match(r"\s*#|(static |extern )?[a-z_ ]+\*? ?$", line[: match.start()])
            if declares and line[: match.start()].strip() not in ("", "return", "else", "do"):
                continue  # somebody's own function or a member of that name
            instead = next(text for key, text in table.items() if re.fullmatch(key, name))
            text = f"{name}() is not called here: use {instead}"
            yield Finding(source.path, number, "banned", text)
