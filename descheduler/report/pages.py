"""What all pages are made with: templates, style and script, and the hashes by which alone these are allowed."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

LIVE = "<!-- live -->"
"""Stands in a page where the controller, which alone knows, writes how it stands now."""


def environment(folder: str) -> Environment:
    """The templates of a folder; what they are given is escaped."""
    made = Environment(
        loader=PackageLoader("descheduler.report", folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    made.filters["svg"] = Markup
    return made


def asset(folder: str, name: str) -> str:
    """The text of a file."""
    return files("descheduler.report").joinpath(folder, name).read_text(encoding="utf-8")


def source_hash(text: str) -> str:
    """As a source of a Content-Security-Policy."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
