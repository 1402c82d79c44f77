"""The policy that tuning found, as a file that says how it was found."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.format import instant, number, percent, plural, span
from descheduler.policy import Policy
from descheduler.policy.writing import policy_yaml
from descheduler.report.backtests.document import Trial, Tuning


def found_policy(policy: Policy, trial: Trial, doc: Tuning) -> str:
    """The policy of the best trial as YAML; what was varied says so, its comments how it was measured."""
    remarks = {
        path: f"the best of {', '.join(one.values)}" for path in trial.values for one in doc.varied if one.path == path
    }
    return policy_yaml(policy, list(_head(trial, doc)), remarks)


def _head(trial: Trial, doc: Tuning) -> Iterator[str]:
    replay = doc.replay
    yield f"Found by `descheduler tune` from {doc.policy}: the best where a"
    yield f"restart may cost {number(doc.price_minutes)} minutes of a hot node."
    length = span(replay.end - replay.begin)
    yield f"Measured on {replay.cluster or 'a recording'}: {length} from {instant(replay.begin)},"
    yield f"{plural(len(replay.seeds), 'seed')}, replacements ready after {span(replay.startup_seconds)}."
    limits = [f"{name} {' or '.join(map(percent, levels))}" for name, levels in replay.thresholds.items()]
    yield f"Hot above {', '.join(limits)}."
    yield f"  nobody      {_told(doc.nobody['hot_minutes'].mean, 0)}"
    for name, one in (("as it was", next(t for t in doc.trials if not t.values)), ("this", trial)):
        told = _told(one.figures["hot_minutes"].mean, one.figures["restarts"].mean)
        yield f"  {name:<11} {told}"
    yield f"{plural(doc.combinations, 'combination')}, {plural(len(doc.trials), 'trial')}."


def _told(minutes: float, restarts: float) -> str:
    return f"{plural(round(minutes), 'hot node-minute')}, {plural(round(restarts, 1), 'restart')}"
