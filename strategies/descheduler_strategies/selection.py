"""Which pods a strategy looks at: by namespace, and by their labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from descheduler.contract import LabelChoice, NamespaceChoice, RebalanceView, StrategyArgs
from descheduler.model.arrays import Mask
from descheduler.model.distinct import Distinct

V = TypeVar("V")


class SelectedArgs(StrategyArgs):
    """Base of the arguments of strategies that look at some pods only."""

    namespaces: NamespaceChoice = NamespaceChoice()
    """Only pods of these namespaces."""
    label_selector: LabelChoice | None = None
    """Only pods whose labels match."""


def selected(view: RebalanceView, args: SelectedArgs) -> Mask:
    """[P] pods that the arguments select; each namespace and each distinct set of labels is asked once."""
    return in_namespaces(view, args.namespaces) & with_labels(view, args.label_selector)


def in_namespaces(view: RebalanceView, namespaces: NamespaceChoice) -> Mask:
    """[P] pods of these namespaces."""
    return _spread(view.snapshot.looks.namespaces, namespaces.holds)


def with_labels(view: RebalanceView, labels: LabelChoice | None) -> Mask:
    """[P] pods whose labels match; all, where nothing is said."""
    if labels is None:
        return np.ones(len(view.snapshot.pods), np.bool_)
    return _spread(view.snapshot.looks.labels, labels.selector().matches)


def _spread(found: Distinct[V], test: Callable[[V], bool]) -> Mask:
    answers = np.array([test(value) for value in found.values], np.bool_)
    chosen: Mask = answers[found.rows] if found.values else np.zeros(0, np.bool_)
    return chosen
