"""Sizes of files, headers, functions and lines. A limit that is reached asks for a split, not for
denser lines."""

from source import Finding

FILE_LINES_MAX = 600
HEADER_LINES_MAX = 200
FUNCTION_LINES_MAX = 70
LINE_MAX = 100


def check(source):
    header = source.path.endswith(".h")
    limit = HEADER_LINES_MAX if header else FILE_LINES_MAX
    count = len(source.lines)
    if count > limit:
        kind = "header" if header else "file"
        text = f"{kind} of {count} lines, {limit} at most: split it by what it is about"
        yield Finding(source.path, limit + 1, "sizes", text)
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_MAX and "://" not in line:
            text = f"line of {len(line)} characters, {LINE_MAX} at most: break it"
            yield Finding(source.path, number, "sizes", text)
    if not source.is_c:
        return
    for item in source.items:
        length = item.last - item.first + 1
        if item.is_function and length > FUNCTION_LINES_MAX:
            text = f"{item.name} has {length} lines, {FUNCTION_LINES_MAX} at most: split it"
            yield Finding(source.path, item.first, "sizes", text)
