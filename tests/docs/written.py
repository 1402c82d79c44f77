"""What the documentation tells people to type: the commands in the fenced blocks of its pages."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_PROMPTED = ("", "sh", "bash", "console")
_REDIRECTED = re.compile(r"\s(>>?|\||&&|&)(\s|$)")


@dataclass(frozen=True)
class Typed:
    """One command: the program, and what follows it."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def typed(program: str) -> list[Typed]:
    """Every command that begins with the program, once, in the order of the pages."""
    found = (Typed(page.name, words) for page in PAGES for words in _commands(page.read_text(encoding="utf-8")))
    return list(dict.fromkeys(one for one in found if one.words[0] == program))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """The fenced blocks in a language, each with the name of its page."""
    for page in PAGES:
        for found, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
            if found == language:
                yield page.name, text


def _commands(text: str) -> Iterator[tuple[str, ...]]:
    for language, block in _BLOCK.findall(text):
        if language not in _PROMPTED:
            continue
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s&&\s", line):
                words = _words(part.strip().removeprefix("$ "))
                if words:
                    yield words


def _words(line: str) -> tuple[str, ...]:
    """The words of one command, without its comment and what becomes of its output."""
    plain = re.split(r"\s#", f" {line}")[0]
    plain = _REDIRECTED.split(plain)[0].strip()
    try:
        words = shlex.split(plain)
    except ValueError:  # no command line
        return ()
    return (words[0].removeprefix(".venv/bin/"), *words[1:]) if words else ()
