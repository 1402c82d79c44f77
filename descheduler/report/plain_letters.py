"""What a report says, for terminals that have ASCII alone: each sign by one as wide, so that columns stay in line."""

from __future__ import annotations

import unicodedata

from rich.cells import cell_len

_SIGNS = {
    "→": ">", "←": "<", "↑": "^", "↓": "v", "–": "-", "—": "-", "−": "-", "…": "~", "×": "x", "·": "|", "•": "*",
    "█": "#", "▓": "#", "▒": "+", "░": ".", "●": "*", "○": "o", "≥": ">", "≤": "<", "≈": "~", "±": "~",
    "\u00a0": " ", "\u202f": ",", "─": "-", "━": "-", "│": "|", "┃": "|", "’": "'", "‘": "'", "“": '"', "”": '"',
    "Σ": "S", "μ": "u", "µ": "u", "∞": "~", "✓": "+", "✗": "x", "✔": "+", "✘": "x",
}  # fmt: skip


def plain_letters(text: str) -> str:
    """The text in ASCII; of a letter with a mark its letter, of what has no like a question mark."""
    return text if text.isascii() else "".join(_plain(one) for one in text)


def _plain(one: str) -> str:
    if one.isascii():
        return one
    if one in _SIGNS:
        return _SIGNS[one]
    bare = unicodedata.normalize("NFKD", one)[0]
    width = cell_len(one)
    return bare if bare.isascii() and width == 1 else "?" * width
