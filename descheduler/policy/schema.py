"""The JSON schema of the policy file, the arguments of every installed strategy and executor included."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema

from descheduler.contract import EXECUTORS
from descheduler.contract.registry import STRATEGIES, Registry
from descheduler.model.format import duration
from descheduler.policy.policy import API_VERSION, Policy

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OF_A_USE: dict[str, Any] = {
    "name": {
        "type": "string",
        "minLength": 1,
        "description": "How reports call it; the strategy's own name unless given.",
    },
    "protections": {
        "anyOf": [{"$ref": "#/$defs/Protections"}, {"type": "null"}],
        "description": "Which pods stay for this use of the strategy, in place of the policy's protections.",
    },
    "reportOnly": {
        "type": "boolean",
        "default": False,
        "description": "What it finds is reported, with what it would do about it, and nothing of that is done.",
    },
}


class _Generator(GenerateJsonSchema):
    """Defaults as users write them (`5m`, not the ISO form), and no titles made from field names."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return duration(dft)
        if isinstance(dft, dict):
            return {key: self.encode_default(value) for key, value in dft.items()}
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", by_alias=True)
        return super().encode_default(dft)

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The whole schema. Raises StrategyError or ExecutorError when an installed one cannot be loaded."""
    schema = policy_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    for unused in ("StrategyChoice", "StrategyArgs", "PluginArgs"):
        definitions.pop(unused, None)
    choices = [_choice(name, given) for name, given in _plugins(STRATEGIES, definitions).items()]
    schema["properties"]["strategies"]["items"] = {"oneOf": choices}
    executors = _plugins(EXECUTORS, definitions)
    acting = definitions["ActingPolicy"]["properties"]
    name = {"type": "string", "enum": list(executors)}
    for order in (acting["executor"], definitions["ExecutorRule"]["properties"]["executor"]):
        del order["anyOf"]
        order["oneOf"] = [name, {"type": "array", "items": name, "minItems": 1, "uniqueItems": True}]
    del acting["executors"]["additionalProperties"]
    acting["executors"] |= {"properties": executors, "additionalProperties": False}
    schema["$defs"] = dict(sorted(definitions.items()))
    schema["required"] = ["apiVersion", "kind"]
    return {"$schema": DIALECT, "$id": f"https://{API_VERSION}/policy.json", **schema}


def policy_schema() -> dict[str, Any]:
    """The schema without strategies: what hints about every other section need."""
    return schema_of(Policy)


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of one model, such as the arguments of a strategy."""
    return model.model_json_schema(by_alias=True, schema_generator=_Generator)


def _plugins(registry: Registry[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """By name, what may be written for each plug-in; nothing at all (`HotNodes:`) means all defaults."""
    names = sorted(registry.available())
    return {n: {"anyOf": [_arguments(n, registry.load(n).Args, definitions), {"type": "null"}]} for n in names}


def _arguments(name: str, model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """A reference to the arguments of a plug-in, whose definitions are put among the others under its name."""
    text = schema_of(model)
    inner: dict[str, Any] = text.pop("$defs", {})
    renamed = {old: f"{name}.{old}" for old in inner}
    for old, new in renamed.items():
        definitions[new] = _renamed(inner[old], renamed)
    title = str(text.get("title", f"{name}Args"))
    definitions[title] = _renamed(text, renamed)
    return {"$ref": f"#/$defs/{title}"}


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: f"#/$defs/{_target(v, names)}" if k == "$ref" else _renamed(v, names) for k, v in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value


def _target(reference: str, names: dict[str, str]) -> str:
    old = reference.rpartition("/")[2]
    return names.get(old, old)


def _choice(name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "title": name,
        "properties": {**OF_A_USE, name: given},
        "required": [name],
        "additionalProperties": False,
    }
