"""What users write: the base of it all, and that of a plug-in's arguments."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Written(BaseModel):
    """Strict and frozen; camelCase in YAML, snake_case in Python.

    The docstring under each field is its documentation (JSON schema, editor hover, `descheduler policy schema`).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )


class PluginArgs(Written):
    """Base of every plug-in's arguments."""
