"""One source file as the rules see it: its lines, the same without comments and strings, and its
top-level items. A small scanner, not a C parser: it relies on the house's format (checked by
formatting.py). Used by every rule in this folder; lint.py puts them together."""

import re
from dataclasses import dataclass, field
from functools import cached_property

ALLOW = re.compile(r"lint-allow: ([a-z]+): \S.{7,}")
COMMENT_OR_LITERAL = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S
)
POINTER = re.compile(r"^[^(]*\(\s*\*\s*(?:const\s+)?(\w+)\s*\)\s*\(")  # to a function
TAGS = ("struct", "enum", "union")
ATTRIBUTES = re.compile(
    r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|\bMUST_CHECK\b|\b_Noreturn\b"
)


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str  # what is wrong, and what to do

    def __str__(self):
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Item:
    """A top-level declaration or definition."""

    head: str  # without what is in braces or after a "=", blanks collapsed
    first: int
    last: int
    has_body: bool
    has_value: bool

    @property
    def signature(self):
        return ATTRIBUTES.sub(" ", self.head).strip()

    @property
    def is_static(self):
        return "static" in self.head.split()

    @property
    def is_function(self):
        """A function with its body."""
        return self.has_body and not self.has_value and "(" in self.signature

    @property
    def is_type(self):
        """A struct, an enum or a union, with or without a body, and no variable of it."""
        words = [word for word in self.signature.split() if word not in ("static", "const")]
        if not words or words[0] not in TAGS or self.has_value:
            return False
        return words[-1] == "{}" or len(words) < 3

    @property
    def is_variable(self):
        """A variable that gets its storage here."""
        words = re.findall(r"\w+", self.signature)
        if not words or {"extern", "typedef", "_Static_assert"} & set(words):
            return False
        if not self.has_value and "(" in self.signature and not POINTER.search(self.signature):
            return False  # a function, a prototype or a macro call
        return not self.is_type and len(words) > 1

    @property
    def name(self):
        pointer = POINTER.search(self.signature)
        if pointer:
            return pointer.group(1)
        before = re.split(r"[(\[]", self.signature, maxsplit=1)[0]
        names = re.findall(r"[A-Za-z_]\w*", before)
        return names[-1] if names else ""


@dataclass
class Source:
    path: str  # relative to the root, with slashes
    text: str
    lines: list = field(init=False)

    def __post_init__(self):
        self.lines = self.text.splitlines()

    @property
    def is_c(self):
        return self.path.endswith((".c", ".h"))

    def under(self, *folders):
        return self.path.startswith(tuple(f"{folder}/" for folder in folders))

    def allows(self, line, rule):
        """Is there a `lint-allow: RULE: why` on that line or the one above?"""
        for text in self.lines[max(line - 2, 0) : line]:
            match = ALLOW.search(text)
            if match and match.group(1) == rule:
                return True
        return False

    @cached_property
    def code(self):
        """The text with comments and the insides of literals blanked, line for line."""

        def blank(match):
            text = match.group()
            if text[0] == "/":
                return re.sub(r"[^\n]", " ", text)
            return text[0] + " " * (len(text) - 2) + text[0]

        return COMMENT_OR_LITERAL.sub(blank, self.text)

    @cached_property
    def includes(self):
        """(line, target, quoted) of every #include."""
        found = []
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if match:
                found.append((number, match.group(2), match.group(1) == '"'))
        return found

    @cached_property
    def items(self):
        code = self._without_directives()
        items, head, first, depth, line = [], "", 0, 0, 1
        has_body = has_value = False
        for char in code:
            is_body = depth == 1 and char == "}" and "(" in ATTRIBUTES.sub("", head)
            if depth == 0 and char == ";" or is_body and not has_value:
                items.append(Item(" ".join(head.split()), first or line, line, has_body, has_value))
                depth = 0
                head, first, has_body, has_value = "", 0, False, False
            elif char == "{":
                has_body = True
                depth += 1
            elif char == "}":
                depth = max(depth - 1, 0)
                if depth == 0 and not has_value:
                    head += " {} "  # stands for a name where a type has none
            elif char == "=" and depth == 0:
                has_value = True
            elif depth == 0 and not has_value:
                head += char
                if not first and not char.isspace():
                    first = line
            if char == "\n":
                line += 1
        return [item for item in items if item.head]

    def _without_directives(self):
        """The code with every preprocessor directive blanked, continuation lines included."""
        lines, continued = [], False
        for line in self.code.split("\n"):
            directive = continued or line.lstrip().startswith("#")
            continued = directive and line.endswith("\\")
            lines.append("" if directive else line)
        return "\n".join(lines)
