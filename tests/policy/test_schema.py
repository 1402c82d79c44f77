"""The JSON schema: committed, current, and in agreement with the loader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from descheduler.contract import EXECUTORS, available, load
from descheduler.policy import Policy, json_schema, load_policy

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "manifests" / "schema" / "policy.v1alpha1.json"
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


def test_the_committed_schema_is_current() -> None:
    assert json.loads(COMMITTED.read_text()) == json_schema(), (
        "run: descheduler policy schema > manifests/schema/policy.v1alpha1.json"
    )


def test_every_installed_strategy_is_in_it_with_its_arguments() -> None:
    schema = json_schema()
    items = schema["properties"]["strategies"]["items"]["oneOf"]
    assert [item["title"] for item in items] == sorted(available())
    assert "thresholds" in schema["$defs"]["HotNodesArgs"]["properties"]


def test_every_installed_executor_is_in_it_with_its_arguments() -> None:
    schema = json_schema()
    acting = schema["$defs"]["ActingPolicy"]["properties"]
    one, several = acting["executor"]["oneOf"]
    assert one["enum"] == list(acting["executors"]["properties"]) == sorted(EXECUTORS.available())
    assert (several["type"], several["items"]) == ("array", one)
    assert "schedulerNames" in schema["$defs"]["ReserveArgs"]["properties"]


def test_every_reference_has_a_target() -> None:
    schema = json_schema()
    references = {text.split('"')[0] for text in json.dumps(schema).split('"#/$defs/')[1:]}
    assert references <= set(schema["$defs"])
    assert references


def _models(model: type[BaseModel]) -> set[type[BaseModel]]:
    found = {model}
    for field in model.model_fields.values():
        kind = field.annotation
        for one in (kind, *getattr(kind, "__args__", ())):
            if isinstance(one, type) and issubclass(one, BaseModel) and one not in found:
                found |= _models(one)
    return found


def test_every_setting_says_what_it_does() -> None:
    models = _models(Policy)
    for name in available():
        models |= _models(load(name).Args)
    for name in EXECUTORS.available():
        models |= _models(EXECUTORS.load(name).Args)
    silent = [
        f"{model.__name__}.{name}"
        for model in models
        for name, field in model.model_fields.items()
        if not field.description
    ]
    assert silent == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_valid_policy_with_its_schema_named(path: Path) -> None:
    assert load_policy(path).strategies
    assert path.read_text().startswith("# yaml-language-server: $schema=../schema/policy.v1alpha1.json\n")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4
