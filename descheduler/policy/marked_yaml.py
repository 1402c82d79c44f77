"""A YAML text as data in which every value knows its line and column.

Scalars are read as YAML 1.2 does: `true` and `false` are the only booleans, so that the label value `on` stays a text,
and dates and `1:30` are texts too. A key given twice is a problem, not a silent choice of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from descheduler.model.printable import one_line

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 64
MAX_NUMBER = 10**18
"""Nothing that a policy counts comes near it, and it fits 64 bits."""

_DIGITS = 64  # of any base: less than a text of which the interpreter makes no number
_DEEP = "is nested too deeply"
_HALF = "holds half of a character (a surrogate)"

Loc = tuple[str | int, ...]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text, counted from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class MarkedProblem:
    """Something wrong at a place; `path` such as `strategies[0].HotNodes.thresholds`."""

    mark: Mark
    path: str
    message: str

    def text(self, name: str) -> str:
        """`file:line:column: path: message`."""
        path = f"{self.path}: " if self.path else ""
        return one_line(f"{name}:{self.mark.line}:{self.mark.column}: {path}{self.message}")


def path_of(loc: Loc) -> str:
    """`("strategies", 0, "HotNodes")` as `strategies[0].HotNodes`."""
    out = ""
    for part in loc:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


class _Loader(yaml.SafeLoader):
    """The core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), and merge keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)$", "-+.0123456789"),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class MarkedYaml:
    """One YAML document: `data`, and the marks of its keys and values. `problems` when it is no usable data."""

    def __init__(self, text: str) -> None:
        self.problems: list[MarkedProblem] = []
        self.data: Json = None
        self._keys: dict[Loc, Mark] = {}
        self._values: dict[Loc, Mark] = {}
        self._count = 0
        if len(text.encode("utf-8", "replace")) > MAX_BYTES:
            self._problem(Mark(), (), f"is larger than {MAX_BYTES >> 20} MiB")
            return
        root = self._compose(text)
        if root is not None:
            self.data = self._read(root, (), ())
        elif not self.problems:
            self._problem(Mark(), (), "is empty")

    def mark(self, loc: Loc) -> Mark:
        """Where the value at `loc` is written: its key if it has one, else the value, else what it should be in."""
        for end in range(len(loc), -1, -1):
            found = self._keys.get(loc[:end]) or self._values.get(loc[:end])
            if found is not None:
                return found
        return Mark()

    def value_mark(self, loc: Loc) -> Mark:
        """Where the value itself begins."""
        return self._values.get(loc) or self.mark(loc)

    def has(self, loc: Loc) -> bool:
        return loc in self._values

    def _compose(self, text: str) -> yaml.Node | None:
        loader = None
        try:
            loader = _Loader(text)
            root: yaml.Node | None = loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            where = error.problem_mark or error.context_mark
            self._problem(_at(where), (), _syntax_text(error))
            return None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position)
            column = error.position - (text.rfind("\n", 0, error.position) + 1)
            self._problem(
                Mark(line + 1, column + 1), (), f"the character U+{ord(text[error.position]):04X} is not allowed"
            )
            return None
        except RecursionError:
            self._problem(_too_deep(text), (), _DEEP)
            return None
        finally:
            if loader is not None:
                loader.dispose()
        return root

    def _problem(self, mark: Mark, loc: Loc, message: str) -> None:
        self.problems.append(MarkedProblem(mark, path_of(loc), message))

    def _read(self, node: yaml.Node, loc: Loc, above: tuple[int, ...]) -> Json:
        """The data of a node; `above` holds the identities of its parents, by which a circle is seen."""
        self._count += 1
        self._values.setdefault(loc, _mark(node))
        if refused := self._refused(node, above):
            self._problem(_mark(node), loc, refused)
            return None
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, loc, above)
        if isinstance(node, yaml.SequenceNode):
            return [self._read(item, (*loc, i), above) for i, item in enumerate(node.value)]
        return self._scalar(node, loc)

    def _refused(self, node: yaml.Node, above: tuple[int, ...]) -> str:
        if id(node) in above:
            return "refers to itself"
        if self._count > MAX_NODES:
            return "is too large"
        return _DEEP if len(above) >= MAX_DEPTH else ""

    def _mapping(self, node: yaml.MappingNode, loc: Loc, above: tuple[int, ...]) -> dict[str, Json]:
        out: dict[str, Json] = {}
        own: set[str] = set()
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                for base in self._merged(value_node, loc, above):
                    for key, value in self._mapping(base, loc, (*above, id(base))).items():
                        out.setdefault(key, value)
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(_mark(key_node), loc, "a key must be a plain text")
                continue
            key = str(key_node.value)
            at = (*loc, key)
            if not _whole(key):
                self._problem(_mark(key_node), loc, _HALF)
                continue
            if key in own:
                first = self._keys[at]
                self._problem(_mark(key_node), at, f"is given twice, first in line {first.line}")
                continue
            own.add(key)
            self._keys[at] = _mark(key_node)
            self._values.pop(at, None)
            out[key] = self._read(value_node, at, above)
        return out

    def _merged(self, node: yaml.Node, loc: Loc, above: tuple[int, ...]) -> Iterator[yaml.MappingNode]:
        """The mappings that `<<` lays under this one, first come first served."""
        for base in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._count += 1
            if not isinstance(base, yaml.MappingNode):
                self._problem(_mark(base), loc, "<< needs a mapping")
            elif refused := self._refused(base, above):
                self._problem(_mark(base), loc, refused)
            else:
                yield base

    def _scalar(self, node: yaml.Node, loc: Loc) -> Json:
        text = str(node.value)
        match node.tag.rpartition(":")[2]:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" | "float" as kind:
                return self._number(node, loc, text, whole=kind == "int")
            case "str" | "value":
                if not _whole(text):
                    self._problem(_mark(node), loc, _HALF)
                    return ""
                return text
        self._problem(_mark(node), loc, f"the tag {node.tag} is not known here")
        return None

    def _number(self, node: yaml.Node, loc: Loc, text: str, *, whole: bool) -> Json:
        try:
            value = _integer(text) if whole else float(text)
        except ValueError:
            self._problem(_mark(node), loc, "is no number")
            return None
        if not abs(value) <= MAX_NUMBER:
            self._problem(_mark(node), loc, "is too large a number")
            return None
        return value


def _integer(text: str) -> int:
    """More digits than a number may have are as good as any other number that is too large."""
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    digits = text.lstrip("+-0") if base == 10 else text[2:].lstrip("0")
    return int(text, base) if len(digits) <= _DIGITS else MAX_NUMBER + 1


def _whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _too_deep(text: str) -> Mark:
    """Where the nesting goes beyond what a policy may have."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            return _at(event.start_mark)
    return Mark()


def _mark(node: yaml.Node) -> Mark:
    return _at(node.start_mark)


def _at(where: Any) -> Mark:
    """The place that a mark of either of YAML's parsers is at."""
    return Mark(where.line + 1, where.column + 1) if where else Mark()


def _syntax_text(error: yaml.MarkedYAMLError) -> str:
    text = error.problem or "is not YAML"
    if "\\t" in text:
        text += " (indent with spaces)"
    return f"is not YAML: {error.context + ': ' if error.context else ''}{text}"
