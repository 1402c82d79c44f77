"""The policy, and what it names: strategies and the executor, which are found by entry point."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.contract import load
from descheduler.doctor.against import against, unserved
from descheduler.doctor.checks import Check, failure, fenced, ok, warning
from descheduler.doctor.given import Given
from descheduler.execution import directions
from descheduler.kube.client.connection import KubeClient
from descheduler.model.directing import installed
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.pipeline import executors_of
from descheduler.planning.landing_choice import choose_landing

AREA = "policy"


def policy(given: Given) -> Iterator[Check]:
    """Is it valid, and can all be loaded that it names?"""
    for problem in given.problems:
        yield failure(AREA, "policy", problem, "what follows is judged by the default policy")
    if not given.problems:
        mode = "active" if given.active else "dry-run"
        yield ok(AREA, "policy", f"{given.source} is valid; mode {mode}")
    names = [choice.strategy for choice in given.policy.strategies]
    for name in dict.fromkeys(names):
        yield from fenced(AREA, f"strategy {name}", lambda name=name: _strategy(name))  # type: ignore[misc]
    yield from fenced(AREA, "executor", lambda: _executor(given))


def executor(snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """Does the cluster serve what the executors need? Nothing is moved by them without."""
    for blocked in unserved(given.policy, snapshot):
        yield failure(AREA, "executor", str(blocked), "install it, or name another executor in acting.executor")


def names(snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """Has the cluster what the policy names?"""
    for told in against(given.policy, snapshot):
        yield warning(AREA, "names", told, "see `descheduler policy check --against`")


def landing(client: KubeClient, snapshot: ClusterSnapshot, given: Given) -> Iterator[Check]:
    """Who decides where moved pods land, and does what is installed for it work? Only asked where plans are carried
    out: the trial needs a right that a dry run does not have."""
    unproved = ""
    if given.active and installed(snapshot):
        unproved = directions.unproved(ClusterWriter(client, Unelected()), given.namespace)
    landings = [chosen.executor.landing for chosen in executors_of(given.policy)]
    choice = choose_landing(given.policy.acting.landing, landings, snapshot, unproved)
    if choice.lacking:
        yield failure(AREA, "landing", choice.lacking, "apply manifests/components/direct, or name another landing")
        return
    text = f"{choice.mode}: {choice.why}"
    yield warning(AREA, "landing", text, "see docs/safety.md, Directed") if unproved else ok(AREA, "landing", text)


def _strategy(name: str) -> Iterator[Check]:
    strategy = load(name)
    wants = ", ".join(strategy.signals)
    yield ok(AREA, f"strategy {name}", f"is loaded{f'; it needs history of {wants}' if wants else ''}")


def _executor(given: Given) -> Iterator[Check]:
    names = [chosen.executor.name for chosen in executors_of(given.policy)]
    yield ok(AREA, "executor", f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} loaded")
