"""Runs the public conformance cases of CEL through `grapevine policy eval`, compares the answers.

A case has `file section name expr`, perhaps `bindings type_env container disable_check check_only
disable_macros`, and expects `value` (typed), `eval_error`, or `typed_result` (the type that the
checker deduces and, where it is evaluated, its value); without any of them, true. Values are typed:
{"int64_value": "1"}, {"list_value": {"values": [...]}}, {"map_value": {"entries": [...]}}.

usage: cel_conformance.py GRAPEVINE [CASES.jsonl]     exit 0 when all pass"""

import collections
import json
import math
import struct
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).parent / "cel" / "conformance.jsonl"


def text_of(value):
    """A string or bytes: text, or {"$bytes_hex": ...}."""
    if isinstance(value, dict):
        return bytes.fromhex(value["$bytes_hex"])
    return value.encode("utf-8", "surrogatepass")


def plain(value):
    """A typed value in a form that compares as CEL values of the same type do."""
    (kind, inner), = value.items()
    if kind in ("int64_value", "uint64_value"):
        return kind, int(inner)
    if kind == "double_value":
        number = float(inner)
        return kind, "nan" if math.isnan(number) else struct.pack(">d", number + 0.0)
    if kind == "bool_value":
        return kind, str(inner).lower() == "true"
    if kind in ("string_value", "bytes_value"):
        return kind, text_of(inner)
    if kind == "list_value":
        return kind, tuple(plain(item) for item in inner.get("values", []))
    if kind == "map_value":
        pairs = [(plain(e["key"]), plain(e["value"])) for e in inner.get("entries", [])]
        return kind, tuple(sorted(pairs, key=repr))
    if kind == "null_value":
        return kind, None
    return kind, json.dumps(inner, sort_keys=True)


def fault(case, answer):
    """What is wrong with the answer; None when nothing is."""
    if "eval_error" in case:
        return None if answer.get("phase") == "eval" else "an error at evaluation was expected"
    if "error" in answer:
        return f"{answer['phase']}: {answer['error']}"
    expected = case.get("value", {"bool_value": True})
    if "typed_result" in case:
        wanted = case["typed_result"]["deduced_type"]
        if answer.get("deduced_type") != wanted:
            return f"type {answer.get('deduced_type')}, expected {wanted}"
        expected = case["typed_result"].get("result")
    if case.get("check_only") or expected is None:
        return None
    if plain(answer["value"]) != plain(expected):
        return f"{answer['value']}, expected {expected}"
    return None


def run(grapevine, path=CASES):
    """Returns (passed, failed lines, count by file)."""
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
    done = subprocess.run([grapevine, "policy", "eval"], input="\n".join(lines) + "\n",
                          capture_output=True, text=True, timeout=120, check=True)
    answers = [json.loads(line) for line in done.stdout.split("\n") if line]
    if len(answers) != len(lines):
        raise AssertionError(f"{len(lines)} cases, {len(answers)} answers: {done.stderr[-500:]}")
    failed, by_file = [], collections.Counter()
    for line, answer in zip(lines, answers):
        case = json.loads(line)
        why = fault(case, answer)
        by_file[case["file"]] += 1
        if why:
            failed.append(f"{case['file']}/{case['section']}/{case['name']}: "
                          f"{case['expr'][:200]}: {why}")
    return len(lines) - len(failed), failed, by_file


def main():
    passed, failed, by_file = run(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else CASES)
    for line in failed:
        print(line)
    print(" ".join(f"{name} {count}" for name, count in sorted(by_file.items())))
    print(f"conformance: {passed} of {passed + len(failed)} cases pass")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
