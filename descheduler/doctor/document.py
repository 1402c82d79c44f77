"""An examination as a versioned document, for other programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from descheduler.doctor.checks import Check, trusted

FORMAT = "descheduler-examination"
VERSION = 1


class CheckRow(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that was looked at; `verdict` is ok, warning or failure."""

    area: str
    subject: str
    verdict: str
    text: str
    mend: str
    details: list[str]


class ExaminationDocument(msgspec.Struct, frozen=True, rename="camel"):
    """`trusted`: a plan could be. `created` in unix seconds."""

    format: str
    version: int
    created: float
    trusted: bool
    checks: list[CheckRow]


def to_json(checks: Sequence[Check], created: float) -> bytes:
    """The document as JSON."""
    rows = [CheckRow(c.area, c.subject, c.verdict.value, c.text, c.mend, list(c.details)) for c in checks]
    document = ExaminationDocument(FORMAT, VERSION, created, trusted(checks), rows)
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
