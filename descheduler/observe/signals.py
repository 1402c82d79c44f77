"""Which signals of the history are read for a policy on a cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from descheduler.contract import Needs, load, needs_of
from descheduler.model.device_parts import devices_in_parts
from descheduler.model.errors import StrategyError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy
from descheduler_profiling.history.outside_queries import OUTSIDE
from descheduler_profiling.history.replicas import COUNTED, REPLICAS
from descheduler_profiling.history.signals import Signal, builtin_signals, custom_signal

BASIC = ("cpu", "memory")
"""Signals that are read whatever the strategies ask for, if any history is: destinations must stay cool."""

OF_GPUS = frozenset(name for name, signal in builtin_signals().items() if signal.of_gpus)
"""Signals that no cluster without GPUs has: what a strategy would merely like is not asked for there."""


def required_signals(policy: Policy) -> set[str]:
    """Those without which a strategy of the policy is not run, or does nothing."""
    always = {signal for choice in policy.strategies for signal in _signals_of(choice.strategy)[0]}
    return always.union(*(needs.signals for needs in _needs(policy)), queried(policy))


def queried(policy: Policy) -> dict[str, Signal]:
    """The signals that are queries in the arguments of strategies."""
    return {
        name: custom_signal(name, query, unit="fraction", shape="node", name_label="instance", ceiling=1.0)
        for needs in _needs(policy)
        for name, query in needs.queries.items()
    }


def needs_metrics(policy: Policy) -> bool:
    """Whether a strategy wants to know what nodes and pods use now."""
    return any(needs.metrics for needs in _needs(policy))


def needs_cordons(policy: Policy) -> bool:
    """Whether actions of a strategy may cordon nodes."""
    return any(needs.cordons for needs in _needs(policy))


def relied_on(policy: Policy) -> set[str]:
    """Signals whose absence is an error: those of strategies, with them those that are always read, and those of the
    policy's own.

    The others are welcome where the cluster has them, and a plan is as good without.
    """
    required = required_signals(policy)
    always = BASIC if required - queried(policy).keys() else ()  # who asks for his own query alone may have no others
    return {*always, *required, *policy.history.queries, *policy.history.signals}


def needs_history(policy: Policy) -> bool:
    """Whether a server of history must be named: for a strategy that is not run without, or for what is published."""
    return bool(required_signals(policy)) or bool(policy.publish.workloads)


def wanted_signals(policy: Policy, snapshot: ClusterSnapshot) -> set[str]:
    """All that is worth reading: what strategies need or would like, what is published, and what is always read, which
    is what loads of nodes are made of."""
    gpus = any(node.gpus or devices_in_parts(node.allocatable) for node in snapshot.nodes)
    optional = {signal for choice in policy.strategies for signal in _signals_of(choice.strategy)[1]}
    published = policy.publish.signals if policy.publish.workloads else ()
    of_nodes = OUTSIDE.values()
    return {
        *BASIC,
        REPLICAS,
        *of_nodes,
        *required_signals(policy),
        *(optional if gpus else optional - OF_GPUS),
        *published,
    }


def with_counted(signals: Collection[str]) -> set[str]:
    """These, and what is read with them."""
    return {*signals, *([REPLICAS] if COUNTED in signals else [])}


def _signals_of(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        strategy = load(name)
    except StrategyError:
        return (), ()  # the plan will say that it failed, and go on with the others
    return strategy.signals, getattr(strategy, "optional_signals", ())


def _needs(policy: Policy) -> Iterator[Needs]:
    for choice in policy.strategies:
        try:
            yield needs_of(load(choice.strategy), choice.args)
        except StrategyError:
            continue  # the plan will say that it failed
