"""Tokens and passwords, taken out of whatever is said: messages, logs, pages and reports.

They are known because we use them, or they are told by the form in which they are sent. What others say may repeat
them: a server that echoes a request, a library that quotes the header that it cannot send.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "…"
_SHORTEST = 8  # characters of a secret that are looked for: of a shorter one half of all words might be made
_MOST = 256  # that are remembered: tokens rotate

# Bounded on both sides: who writes the text must not choose how long it takes to look through it.
_NAMES = (
    r"[\w.-]{0,32}(?:token|secret|passw(?:or)?d|api[_-]?key|signature|credential|assertion|authorization)[\w.-]{0,32}"
)
_FORMS: Final = tuple(
    (re.compile(pattern, flags), f"\\1{HIDDEN}")
    for pattern, flags in (
        (r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
        (r"(\bauthorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+", re.IGNORECASE),
        (r"(\bbearer\s+)(?!tokens?\b|auth)[^\s'\"<>,;]+", re.IGNORECASE),
        (r"(\bbasic\s+)(?!auth)[A-Za-z0-9+/=_-]{8,}", re.IGNORECASE),
        (r"()\beyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)*", 0),  # a JSON Web Token
        (r"(?<=://)()[^\s\"'<>]{0,1000}(?=@)", 0),
        (rf"([?&;\s](?:--)?{_NAMES}=)[^&\s\"'<>]+", re.IGNORECASE),
        (rf"([\"']{_NAMES}[\"']\s*:\s*[\"'])[^\"']+", re.IGNORECASE),
    )
)
_known: dict[str, None] = {}


def remember(*secrets: str) -> None:
    """Take these, and their parts between blanks, out of all that is said from now on."""
    for piece in (piece for secret in secrets for piece in (secret.strip(), *secret.split())):
        if len(piece) >= _SHORTEST:
            _known.pop(piece, None)
            _known[piece] = None
    while len(_known) > _MOST:
        _known.pop(next(iter(_known)))


def hidden(text: str) -> str:
    """The text without what is, or looks like, a secret."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for form, without in _FORMS:
        text = form.sub(without, text)
    return text


def can_be_sent(secret: str) -> bool:
    """Whether a header can carry it as it is; libraries quote what cannot in their errors."""
    return re.fullmatch(r"[!-~]+", secret) is not None
