"""The default policy as it is printed: whole, of every strategy, and checked by the schema that it names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from descheduler.contract import available, load
from descheduler.model.errors import PolicyError, StrategyError
from descheduler.policy import Policy, default_policy_text, load_policy
from e2e.world import COMMAND
from strategies.needed import NEEDED


def keys(model: type[BaseModel]) -> set[str]:
    """What can be written for a model, sections within it as `section.key`."""
    found = set()
    for field in model.model_fields.values():
        inner = field.annotation
        deeper = isinstance(inner, type) and issubclass(inner, BaseModel) and not field.is_required()
        found |= {f"{field.alias}.{key}" for key in keys(inner)} if deeper else {str(field.alias)}  # type: ignore[arg-type]
    return found


def written(data: dict[str, Any], model: type[BaseModel]) -> set[str]:
    found = set()
    for field in model.model_fields.values():
        inner, value = field.annotation, data.get(str(field.alias), ...)
        if isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(value, dict):
            found |= {f"{field.alias}.{key}" for key in written(value, inner)}
        elif value is not ...:
            found.add(str(field.alias))
    return found


def test_every_setting_of_every_section_is_there() -> None:
    assert written(yaml.safe_load(default_policy_text()), Policy) == keys(Policy)


@pytest.mark.parametrize("strategy", sorted(available()))
def test_every_argument_of_every_strategy_is_there(strategy: str) -> None:
    text, model = default_policy_text(strategy), load(strategy).Args
    for name, value in NEEDED.get(strategy, {}).items():
        text = re.sub(rf"(# {name}:    # needed|{name}: null)$", f"{name}: {value}", text, flags=re.MULTILINE)
    (use,) = yaml.safe_load(text)["strategies"]
    assert set(use[strategy]) == {field.alias for field in model.model_fields.values()}
    (choice,) = load_policy(text).strategies
    assert choice.args == model.model_validate(NEEDED.get(strategy, {}))


def test_what_a_strategy_cannot_do_without_is_asked_for() -> None:
    with pytest.raises(PolicyError, match="thresholds"):
        load_policy(default_policy_text("LowNodeUtilization"))


def test_several_strategies_are_written_in_their_order_and_unknown_ones_refused() -> None:
    policy = load_policy(default_policy_text("IdleGpu", "HotNodes"))
    assert [choice.strategy for choice in policy.strategies] == ["IdleGpu", "HotNodes"]
    with pytest.raises(StrategyError, match="HotNode"):
        default_policy_text("HotNode")


def test_the_schema_that_it_names_is_where_it_says(tmp_path: Path) -> None:
    """As its head tells: the policy and its schema, written into one folder."""
    text = subprocess.run([*COMMAND, "policy", "default"], capture_output=True, text=True, check=True).stdout
    (schema,) = re.findall(r"^# yaml-language-server: \$schema=(\S+)$", text, re.MULTILINE)
    (words,) = re.findall(r"`descheduler (policy schema) > (\S+)`", text)
    done = subprocess.run([*COMMAND, *words[0].split()], capture_output=True, text=True, check=True)
    (tmp_path / words[1]).write_text(done.stdout)
    assert (tmp_path / schema).is_file()
