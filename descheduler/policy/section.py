"""The base of every section of a policy."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """Strict and frozen; camelCase in YAML, snake_case in Python.

    The docstring under each field is its only documentation: JSON schema and editor hover show it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )
