"""Texts of others on their way to a terminal: what would control it, or turn the reading around, is written out."""

from __future__ import annotations

import re
from typing import Final

# Control characters but for line feed and tab, C1 among them; marks that join, hide or reverse what stands around them
# (Unicode categories Cf, Zl, Zp); halves of characters.
_DRIVING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""The text with such characters as JSON escapes (`\u001b`): the same in a JSON string, visible everywhere else."""
    return _DRIVING.sub(_escape, text)


def one_line(text: str) -> str:
    r"""The same with line feeds as `\n`, so that nobody adds a line to what is told line by line."""
    return printable(text).replace("\n", "\\n")


def _escape(found: re.Match[str]) -> str:
    return "".join(f"\\u{unit:04x}" for unit in memoryview(found[0].encode("utf-16-le", "surrogatepass")).cast("H"))
