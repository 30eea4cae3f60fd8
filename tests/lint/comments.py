"""comments: a file says at its top what it is for. todo: nothing is left for later without the
reason why it waits."""

import re

from source import Finding

# lint-allow: todo: the rule has to name its words
MARK = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b(\([^)]{8,}\))?")
OPENING_LINES_MAX = 20  # 10, and a drawing where the file is asynchronous


def opening(source):
    """The lines of the opening comment; none where there is no such comment."""
    lines = source.lines[1:] if source.text.startswith("#!") else source.lines
    if source.is_c:
        match = re.match(r"/\*.*?\*/", source.text, re.S)
        return match.group().split("\n") if match else []
    if lines and lines[0].startswith(('"""', 'r"""')):
        return lines[:1]
    count = 0
    while count < len(lines) and lines[count].startswith("#"):
        count += 1
    return lines[:count]


def check(source):
    if source.path.endswith((".c", ".h", ".py", ".sh")) or source.under("scripts"):
        head = opening(source)
        if not head:
            text = "no opening comment: say its job, neighbours and callers in 2 to 10 lines"
            yield Finding(source.path, 1, "comments", text)
        elif len(head) > OPENING_LINES_MAX and source.path.endswith(".c"):
            text = f"opening comment of {len(head)} lines, 10 are enough: move the rest"
            yield Finding(source.path, 1, "comments", text)
    for number, line in enumerate(source.lines, 1):
        match = MARK.search(line)
        if match and not match.group(2):
            word = match.group(1)
            text = f"{word} without a reason: do it, or write {word}(what it waits for)"
            yield Finding(source.path, number, "todo", text)
