"""format: C code is as clang-format leaves it (scripts/format applies it)."""

import re
import shutil
import subprocess

from source import Finding


def check_files(root, paths):
    """Runs clang-format over all files at once; one finding per file, at its first difference."""
    paths = [path for path in paths if path.endswith((".c", ".h"))]
    if not paths:
        return
    if not shutil.which("clang-format"):
        yield Finding("scripts/format", 1, "format", "no clang-format: run scripts/setup --test")
        return
    command = ["clang-format", "--style=file", "--dry-run", "--Werror", "--ferror-limit=1", *paths]
    output = subprocess.run(command, cwd=root, capture_output=True, text=True).stderr
    seen = set()
    for match in re.finditer(r"^(.+?):(\d+):\d+: error: ", output, re.M):
        path = match.group(1)
        if path not in seen:
            seen.add(path)
            text = f"not as clang-format leaves it: scripts/format {path}"
            yield Finding(path, int(match.group(2)), "format", text)
