"""CONTRIBUTING.md is true: the files that it names are there, and its strategy does what it says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from architecture.source import ROOT
from descheduler.model.moves import Proposal
from descheduler.planning.conformance import fault
from planning.cases import hot_node, outcome

GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_PATH = re.compile(r"`((?:descheduler|profiling|strategies|tests|manifests|docs)/[a-z0-9_./-]+)`")


def test_what_it_names_is_there() -> None:
    named = set(_PATH.findall(GUIDE))
    assert len(named) > 20
    assert not [path for path in named if not (ROOT / path).exists()]


def test_its_strategy_empties_the_node_that_it_is_given(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    (tmp_path / "retiring_nodes.py").write_text(found[1])
    spec = importlib.util.spec_from_file_location("retiring_nodes", tmp_path / "retiring_nodes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    view = outcome(*hot_node()).view
    answers = list(module.RetiringNodes().propose(view, module.RetiringArgs(nodes=("n1",), most=1)))
    proposals = [answer for answer in answers if isinstance(answer, Proposal)]
    assert [[view.snapshot.nodes[move.source].name for move in p.moves] for p in proposals] == [["n1"]]
    assert [str(p.finding.subject) for p in proposals] == ["node/n1"]
    assert [fault(answer, view.snapshot) for answer in answers] == [""] * len(answers)
    assert not list(module.RetiringNodes().propose(view, module.RetiringArgs()))
