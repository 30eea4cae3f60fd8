"""Shows that every rule bites: a bad snippet is caught, at its line, and its good twin is not.
Run by ctest (lint/selftest)."""

import subprocess
import sys
import tempfile
from pathlib import Path

import formatting
from lint import ROOT, findings_of
from source import Source

TOP = "/* A file. */\n"
LONG_FUNCTION = "static void f(void)\n{\n" + "    g();\n" * 68 + "}\n"
FINE_FUNCTION = LONG_FUNCTION.replace("    g();\n", "", 1)

# (rule, path, text below the opening comment, line of the finding or 0 for none)
CASES = (
    ("layers", "base/buf.c", '#include "node/http/http.h"\n', 2),
    ("layers", "base/buf.c", '#include "base/bytes.h"\n', 0),
    ("layers", "base/buf.c", '#include "bytes.h"\n', 2),
    ("layers", "raft/log.c", '#include "gossip/gossip.h"\n', 2),
    ("layers", "raft/log.c", '#include "raft/log.h"\n#include "base/kv.h"\n', 0),
    ("layers", "node/apply.c", '#include "registry/state.h"\n', 2),
    ("layers", "node/apply.c", '#include "registry/registry.h"\n', 0),
    ("layers", "node/apply.c", '#include "raft/store.h"\n', 0),
    ("layers", "node/apply.c", '#include "raft/durable.h"\n', 2),
    ("layers", "node/io/addr.c", '#include "node/http/http.h"\n', 2),
    ("layers", "node/mesh/link.c", '#include "node/cli/args.h"\n', 2),
    ("layers", "node/main.c", '#include "node/cli/args.h"\n', 0),
    ("layers", "node/mesh/link.c", '#include "tests/sim/world.h"\n', 2),
    ("layers", "tests/unit/base/test_buf.c", '#include "fixture.h"\n', 0),
    ("layers", "tests/unit/base/test_buf.c", '#include "node/http/http.h"\n', 0),
    ("layers", "testnet/load/run.c", '#include "node/io/stream.h"\n', 0),
    ("layers", "testnet/load/run.c", '#include "node/cli/flags.h"\n', 0),
    ("layers", "testnet/load/run.c", '#include "node/lane.h"\n', 2),
    ("layers", "testnet/load/run.c", '#include "testnet/engine/core/kv.h"\n', 2),
    ("layers", "testnet/engine/core/kv.c", '#include "base/list.h"\n', 0),
    ("layers", "testnet/engine/core/kv.c", '#include "node/io/loop.h"\n', 2),
    ("layers", "testnet/engine/core/kv.c", '#include "testnet/engine/serve/server.h"\n', 2),
    ("doors", "testnet/load/run.c", "#include <uv.h>\n", 2),
    ("doors", "testnet/engine/serve/conn.c", "#include <cjson/cJSON.h>\n", 2),
    ("doors", "testnet/engine/serve/read.c", "#include <cjson/cJSON.h>\n", 0),
    ("doors", "node/mesh/link.c", "#include <uv.h>\n", 2),
    ("doors", "node/io/loop.c", "#include <uv.h>\n", 2),
    ("doors", "node/io/uv_loop.c", "#include <uv.h>\n", 0),
    ("doors", "policy/cel_emit.c", "#include <pcre2.h>\n", 2),
    ("doors", "policy/cel_regex.c", "#include <pcre2.h>\n", 0),
    ("doors", "tests/sim/io/loop.c", "#include <uv.h>\n", 2),
    ("doors", "tests/sim/raft_net.c", "#include <raft/fixture.h>\n", 2),
    ("doors", "tests/sim/opponent/libraft.c", "#include <raft.h>\n", 0),
    ("doors", "node/trust/cert.c", "#include <sodium.h>\n", 2),
    ("doors", "base/crypto.c", "#include <sodium.h>\n", 0),
    ("doors", "raft/log.c", "#include <lmdb.h>\n", 2),
    ("doors", "node/ingress/conn.c", "#include <llhttp.h>\n", 2),
    ("doors", "node/mesh/link.c", "#include <nghttp2/nghttp2.h>\n", 2),
    ("doors", "node/http/h2.c", "#include <nghttp2/nghttp2.h>\n", 0),
    ("doors", "node/trust/cert.c", '#include "node/trust/cert.pb-c.h"\n', 2),
    ("doors", "node/trust/wire.c", '#include "node/trust/cert.pb-c.h"\n', 0),
    ("doors", "node/trust/codec.c", "#include <protobuf-c/protobuf-c.h>\n", 0),
    ("doors", "node/config/config.c", "#include <yaml.h>\n", 2),
    ("doors", "policy/document.c", "#include <yaml.h>\n", 2),
    ("doors", "base/yaml.c", "#include <yaml.h>\n", 0),
    ("doors", "node/ingress/scan.c", "#include <cjson/cJSON.h>\n", 2),
    ("doors", "node/egress/inventory.c", "#include <cjson/cJSON.h>\n", 0),
    ("doors", "node/mesh/link.c", "#include <sys/socket.h>\n", 2),
    ("doors", "node/mesh/link.c", "#include <pthread.h>\n", 2),
    ("doors", "node/mesh/link.c", "#include <dlfcn.h>\n", 2),
    ("doors", "node/telemetry/nvml.c", "#include <dlfcn.h>\n", 0),
    ("prefixes", "base/buf.c", "void grow(struct buf *b)\n{\n}\n", 2),
    ("prefixes", "base/buf.c", "void buf_grow(struct buf *b)\n{\n}\n", 0),
    ("prefixes", "base/buf.c", "static void grow(struct buf *b)\n{\n}\n", 0),
    ("prefixes", "base/buf.c", "MUST_CHECK enum err grow(int a,\n    int b)\n{\n}\n", 2),
    ("prefixes", "base/buf.c", "_Static_assert(sizeof(int) == 4, \"\");\n", 0),
    ("prefixes", "raft/log.c", "int log_size(void)\n{\n    return 1;\n}\n", 2),
    ("prefixes", "node/io/uv_stream.c", "void io_stream_read(void)\n{\n}\n", 0),
    ("prefixes", "node/http/parser.c", "void link_open(void)\n{\n}\n", 2),
    ("prefixes", "node/http/parser.c", "const int limit = 3;\n", 2),
    ("prefixes", "node/routing/choose.c", "void choose(void)\n{\n}\n", 0),
    ("prefixes", "node/routing/choose.c", "void chooser(void)\n{\n}\n", 2),
    ("prefixes", "node/main.c", "int main(void)\n{\n}\n", 0),
    ("prefixes", "testnet/load/plan.c", "void plan_next(void)\n{\n}\n", 0),
    ("prefixes", "testnet/load/plan.c", "void load_plan(void)\n{\n}\n", 0),
    ("prefixes", "testnet/load/plan.c", "void next(void)\n{\n}\n", 2),
    ("globals", "testnet/load/plan.c", "static int count;\n", 2),
    ("globals", "base/buf.c", "static int count;\n", 2),
    ("globals", "base/buf.c", "static const int count = 3;\n", 0),
    ("globals", "base/buf.c", "static char *names[] = {\n    \"a\",\n};\n", 2),
    ("globals", "base/buf.c", "struct row {\n    int a;\n};\nenum x { A, B };\n", 0),
    ("globals", "base/buf.c", "struct row {\n    int a;\n} rows[2];\nint f(void);\n", 2),
    ("globals", "base/buf.c", "static struct {\n    int a;\n} state;\n", 2),
    ("globals", "base/buf.c", "static const struct {\n    int a;\n} rows[] = {{1}};\n", 0),
    ("globals", "base/buf.c", "static int (*hook)(int) = f;\n", 2),
    ("globals", "base/buf.c", "static int (*hook)(int);\n", 2),
    ("globals", "base/buf.c", "static int (*const hook)(int) = f;\n", 0),
    ("globals", "base/buf.c", "typedef struct {\n    int a;\n} pair;\n", 0),
    ("globals", "base/buf.c", "extern const int x;\ntypedef int buf_fn(int);\nstruct x;\n", 0),
    ("globals", "node/apply.c", "static void f(void)\n{\n    static int n = 0;\n    n++;\n}\n", 4),
    ("globals", "node/apply.c", "static void f(void)\n{\n    static const int n = 0;\n}\n", 0),
    ("globals", "base/buf.c", "/* lint-allow: globals: the one exception */\nstatic int n;\n", 0),
    ("globals", "base/buf.c", "/* lint-allow: globals: */\nstatic int n;\n", 3),
    ("sizes", "base/buf.c", "/* x */\n" * 600, 601),
    ("sizes", "base/buf.c", "/* x */\n" * 599, 0),
    ("sizes", "base/buf.h", "/* x */\n" * 200, 201),
    ("sizes", "base/buf.c", "int buf_" + "x" * 100 + ";\n", 2),
    ("sizes", "base/buf.c", LONG_FUNCTION, 2),
    ("sizes", "base/buf.c", FINE_FUNCTION, 0),
    ("banned", "base/buf.c", "static void f(void)\n{\n    strcpy(a, b);\n}\n", 4),
    ("banned", "base/buf.c", "static void f(void)\n{\n    buf_strcpy(a, b);\n}\n", 0),
    ("banned", "base/buf.c", "/* strcpy(a, b) */\nstatic char *s = \"strcpy(a)\";\n", 0),
    ("banned", "tests/unit/test_x.c", "static void f(void)\n{\n    sprintf(a, b);\n}\n", 4),
    ("banned", "tests/unit/test_x.c", "static void f(void)\n{\n    printf(a);\n}\n", 0),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    printf(a);\n}\n", 4),
    ("banned", "node/cli/status.c", "static void f(void)\n{\n    printf(a);\n}\n", 0),
    ("banned", "node/mesh/link.c", "static int f(void)\n{\n    return time(NULL);\n}\n", 4),
    ("banned", "testnet/load/plan.c", "static int f(void)\n{\n    return time(NULL);\n}\n", 4),
    ("banned", "testnet/load/main.c", "static void f(void)\n{\n    printf(a);\n}\n", 0),
    ("banned", "node/mesh/link.c", "static int f(void)\n{\n    int a = rand();\n}\n", 4),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    clock_gettime(a, b);\n}\n", 4),
    ("banned", "node/io/uv_clock.c", "static void f(void)\n{\n    clock_gettime(a, b);\n}\n", 0),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    g(getenv(a));\n}\n", 4),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    pthread_create(a);\n}\n", 4),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    uv_now(a);\n}\n", 4),
    ("banned", "node/mesh/link.c", "static void f(void)\n{\n    l->open(l);\n    l.time(l);\n}", 0),
    ("banned", "base/disk.c", "static void f(void)\n{\n    fd = open(a, b);\n}\n", 0),
    ("banned", "raft/log.c", "static void f(void)\n{\n    fd = open(a, b);\n}\n", 4),
    ("banned", "tests/sim/io/clock.c", "static void f(void)\n{\n    a = time(0);\n}\n", 4),
    # lint-allow: todo: the rule has to be shown its words
    ("todo", "base/buf.c", "/* TODO: later */\n", 2),
    # lint-allow: todo: the rule has to be shown its words
    ("todo", "base/buf.c", "/* FIXME */\n", 2),
    ("todo", "base/buf.c", "/* TODO(the log has to carry revocations first): refuse them */\n", 0),
)
# (path, whole text, is something wrong)
OPENINGS = (
    ("base/buf.c", "#include <stdio.h>\n", True),
    ("base/buf.c", "/* Buffers. */\n#include <stdio.h>\n", False),
    ("base/buf.c", "/* Buffers." + "\n" * 20 + "*/\n", True),
    ("scripts/setup", "#!/bin/sh\nset -e\n", True),
    ("scripts/setup", "#!/bin/sh\n# Sets up.\nset -e\n", False),
    ("tests/e2e/test_x.py", "import sys\n", True),
    ("tests/e2e/test_x.py", '#!/usr/bin/python3\n"""A test."""\n', False),
)


def check_cases():
    for rule, path, text, line in CASES:
        found = [f.line for f in findings_of(Source(path, TOP + text)) if f.rule == rule]
        if found != ([line] if line else []):
            yield f"{rule} on {path}: expected line {line or 'none'}, found {found}:\n{text[:300]}"
    for path, text, wrong in OPENINGS:
        found = [f for f in findings_of(Source(path, text)) if f.rule == "comments"]
        if bool(found) != wrong:
            yield f"comments on {path}: expected {'a' if wrong else 'no'} finding:\n{text[:300]}"


def check_format():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".clang-format").write_bytes((ROOT / ".clang-format").read_bytes())
        (root / "good.c").write_text("int f(void)\n{\n    return 1;\n}\n")
        (root / "bad.c").write_text("int f(void) {\n  return 1;\n}\n")
        found = [(f.path, f.rule) for f in formatting.check_files(root, ["good.c", "bad.c"])]
        if found != [("bad.c", "format")]:
            yield f"format: expected bad.c alone, found {found}"


def check_exit_status():
    """A finding must make the whole check fail."""
    script = "import sys, lint; lint.CHECKS = (%s,); lint.formatting.check_files = lambda *a: []; "
    script += "sys.argv[1:] = ['base/err.h']; sys.exit(lint.main())"
    one = "lambda source: [lint.sizes.Finding(source.path, 1, 'sizes', 'x')]"
    for check, status in ((one, 1), ("lambda source: []", 0)):
        command = [sys.executable, "-B", "-c", script % check]
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
        if done.returncode != status:
            yield f"exit status {done.returncode}, expected {status}: {done.stdout}{done.stderr}"


def main():
    failures = [*check_cases(), *check_format(), *check_exit_status()]
    for failure in failures:
        print(failure)
    print(f"selftest: {len(CASES) + len(OPENINGS) + 3} cases, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
