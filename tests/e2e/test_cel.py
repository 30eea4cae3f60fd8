#!/usr/bin/env python3
"""`grapevine policy eval` as programs and operators use it: the public conformance cases of CEL,
bad lines between good ones, and an expression with facts from a file."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
import cel_conformance

GRAPEVINE = os.environ["GRAPEVINE"]
FACTS = {"node": {"tier": "edge", "labels": {"gpu": "a10"}}, "backend": {"gpu": {"load": 0.5}},
         "link": {"rtt": {"duration_value": "20ms"}, "loss": None}}
FOUNDING = 'node.tier == "edge" && backend.gpu.load < 0.8 && link.rtt < duration("50ms")'


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def evaluate(*arguments, text=""):
    return subprocess.run([GRAPEVINE, "policy", "eval", *arguments], input=text,
                          capture_output=True, text=True, timeout=60, check=False)


def conformance():
    passed, failed, by_file = cel_conformance.run(GRAPEVINE)
    for line in failed:
        print(line)
    print(", ".join(f"{name} {count}" for name, count in sorted(by_file.items())))
    print(f"conformance: {passed} of {passed + len(failed)} cases pass")
    check(not failed, f"{len(failed)} conformance cases fail")


def bad_lines_are_answered():
    unknown_type = '{"expr": "x", "type_env": [{"name": "x", "ident": {"type": {}}}]}'
    message = '{"expr": "x", "bindings": [{"key": "x", "value": {"object_value": {}}}]}'
    lines = ["not json", "[]", "{}", '{"expr": 1}', '{"expr": "1 +"}', '{"expr": "nobody"}',
             '{"expr": "1 / 0"}', unknown_type, message,
             '{"expr": "x", "bindings": [{"key": "x"}]}', "[" * 100000,
             '{"expr": "' + "(" * 60000 + '"}', '{"expr": "' + "a" * 2000000 + '"}',
             '{"expr": "\\u0000"}', '{"expr": "size(\'\\u0000\')"}', '{"expr": "1"}']
    done = evaluate(text="\n".join(lines) + "\n")
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr[-300:]}")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    check(len(answers) == len(lines), f"{len(lines)} lines, {len(answers)} answers")
    phases = [answer.get("phase") for answer in answers]
    check(phases[:7] == ["parse", "parse", "parse", "parse", "parse", "check", "eval"], phases)
    check(all(phase for phase in phases[:14]), phases)
    check(answers[14]["value"] == {"int64_value": "1"}, answers[14])
    check(answers[15]["value"] == {"int64_value": "1"}, answers[15])
    check(answers[15]["type"] == "int", answers[15])
    check(answers[6]["line"] == 1 and answers[6]["column"] == 3, answers[6])


def the_scratch_pad_takes_facts(folder):
    path = str(folder / "facts.json")
    Path(path).write_text(json.dumps(FACTS), encoding="utf-8")
    cases = ((FOUNDING, "true"), ('node.labels["gpu"]', '"a10"'), ("has(link.loss)", "false"),
             ("link.rtt * 2", None), ("node.teir", None), ("link.loss < 0.1", None))
    for expression, shown in cases:
        done = evaluate("--facts", path, expression)
        check(done.stdout.strip() == (shown or ""), f"{expression}: {done.stdout}{done.stderr}")
        check(done.returncode == (0 if shown else 1), f"{expression}: status {done.returncode}")
        check(bool(shown) != bool(done.stderr), f"{expression}: {done.stderr}")
    done = evaluate("--facts", path, "node.teir == 'edge'")
    check("did you mean 'node.tier'?" in done.stderr, done.stderr)
    done = evaluate("--facts", path, "link.loss < 0.1")
    check("absent: link.loss is not known" in done.stderr, done.stderr)
    done = evaluate("--facts", "-", "-o", "json", "a + 1", text='{"a": 2}')
    check(json.loads(done.stdout) == {"int64_value": "3"}, done.stdout + done.stderr)
    check(evaluate("1 + 1").stdout == "2\n", "an expression without facts")
    check(evaluate("--facts", path).returncode == 2, "facts without an expression")
    check(evaluate("--facts", "/nonexistent", "1").returncode == 1, "facts that are not there")
    check(evaluate("--facts", "-", "1", text="[1]").returncode == 1, "facts that are no object")


def main():
    conformance()
    bad_lines_are_answered()
    with tempfile.TemporaryDirectory() as folder:
        the_scratch_pad_takes_facts(Path(folder))
    print("all passed")


if __name__ == "__main__":
    main()
