"""What a strategy is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from descheduler.contract.view import RebalanceView
from descheduler.model.moves import Observation, Proposal


class StrategyArgs(BaseModel):
    """Base of every strategy's arguments: strict, frozen, camelCase in YAML.

    The docstring under each field is its documentation (JSON schema, editor hover, `descheduler policy schema`).
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )


A = TypeVar("A", bound=StrategyArgs, contravariant=True)


@runtime_checkable
class Strategy(Protocol[A]):
    """A strategy: a name, its arguments, and one pure function.

    `signals` names the history signals that it needs ("cpu", "gpu", …); without them it is not run. It may also have
    `optional_signals`, read for it where they can be; it says itself what it does without them (`RebalanceView.usage`).
    """

    name: ClassVar[str]
    signals: ClassVar[tuple[str, ...]]
    Args: ClassVar[type[StrategyArgs]]

    def propose(self, view: RebalanceView, args: A) -> Iterable[Proposal | Observation]:
        """Proposals, and findings that are left alone with the reason; in a deterministic order."""
        ...
