"""Checks the whole tree against the rules of the house and prints file:line: rule: what to do.
Called by scripts/check and, through ctest, by scripts/test; selftest.py shows that each rule bites.
One line can be excused by a comment on it or above it: lint-allow: RULE: the reason.

usage: lint.py [--rule RULE]... [PATH]...     (paths from the root; default: everything)"""

import argparse
import sys
from pathlib import Path

import banned
import comments
import formatting
import layers
import names
import sizes
from source import Source

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("base", "gossip", "raft", "policy", "registry", "node", "tests", "testnet", "scripts")
SUFFIXES = (".c", ".h", ".py", ".sh", "")
CHECKS = (layers.check, names.check, sizes.check, banned.check, comments.check)


def findings_of(source):
    for check in CHECKS:
        for finding in check(source):
            if not source.allows(finding.line, finding.rule):
                yield finding


def files(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix in SUFFIXES and path.is_file() and "/corpus/" not in name:
                if path.suffix or folder == "scripts":
                    yield name


def main():
    parser = argparse.ArgumentParser(description="The rules of the house.")
    parser.add_argument("--rule", action="append", help="only this rule (repeatable)")
    parser.add_argument("paths", nargs="*", help="only these files or folders")
    arguments = parser.parse_args()

    chosen = tuple(path.removeprefix("./").rstrip("/") for path in arguments.paths)
    paths = [path for path in files(ROOT)
             if not chosen or path in chosen or path.startswith(tuple(f"{c}/" for c in chosen))]
    findings = []
    for path in paths:
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        findings += findings_of(Source(path, text))
    findings += formatting.check_files(ROOT, paths)
    if arguments.rule:
        findings = [finding for finding in findings if finding.rule in arguments.rule]

    for finding in sorted(findings, key=lambda finding: (finding.path, finding.line)):
        print(finding)
    verdict = f"{len(findings)} to mend" if findings else "all rules kept"
    print(f"check: {len(paths)} files, {verdict}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
