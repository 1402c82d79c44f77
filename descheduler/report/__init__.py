"""Views of a plan document: JSON and YAML, a table for terminals, a page for browsers."""

from descheduler.report.html import to_html
from descheduler.report.serial import from_json, to_json, to_yaml

__all__ = ["from_json", "to_html", "to_json", "to_yaml"]
