"""What users write for a plug-in."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class PluginArgs(BaseModel):
    """Base of every plug-in's arguments: strict, frozen, camelCase in YAML.

    The docstring under each field is its documentation (JSON schema, editor hover, `descheduler policy schema`).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )
