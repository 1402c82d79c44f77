"""A healthy cluster with strange objects beside it, through the whole pipeline: bytes, codec, snapshot, plan, report.

The healthy part is the embedded example, held to its own nodes by node selectors, so that what is decided about it
can be compared with what is decided without the strange objects.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

import msgspec

from descheduler.example.example import example
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.assembly import assemble, fresh
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.pipeline import outcome_of, profile
from descheduler.planning import Outcome, build_document
from descheduler.planning.problems import ProblemKind
from descheduler.policy import Policy, load_policy
from descheduler.report.formats import FORMATS, written
from descheduler.report.serial import to_json
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from hostile.mutation import mutated
from hostile.objects import CLUSTER_WIDE, NODES, TENANTS, valid

Json = Any
Strange = Mapping[str, list[bytes]]
"""Objects as JSON by the key of their kind."""

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
history: {minCoverage: 0}
pools:
  - {name: gpu, nodeSelector: {pool: gpu}}
  - {name: general, nodeSelector: {pool: general}}
limits: {perWorkload: 25%, perCycle: null, perHour: null}
schedulers: {gpu-packer: MostAllocated}
strategies:
  - HotNodes: {thresholds: {cpu: 75%, memory: 85%}, minDuration: 30m}
  - GpuDefragmentation: {objective: slots, slot: {gpus: 8, cpu: "80"}, wanted: 2}
  - GpuDefragmentation: {objective: pending}
    name: pending
  - GpuDefragmentation: {objective: fragmentation}
    name: fragmentation
  - GpuTopology: {}
  - IdleGpu: {act: evict}
"""
LONGEST_LINE = 2000  # characters of a problem, and of any text of a refusal
LARGEST_PLAN = 3 * 2**20  # bytes; that of the healthy part is 40 KiB


@dataclass(frozen=True)
class Verdicts:
    """What is decided about the healthy pods: why each stays, and the moves off nodes that will be hot."""

    stays: Mapping[str, str]
    moves: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class World:
    """The healthy part, and what is decided about it when nobody else is there."""

    lines: Mapping[str, tuple[bytes, ...]]
    histories: Mapping[str, History]
    profiles: Mapping[str, SignalProfiles]
    policy: Policy
    now: float
    alone: Verdicts
    namespaces: frozenset[str]
    nodes: tuple[str, ...]


@dataclass
class Tally:
    """What came of cycles. `lost` names each that was lost and why."""

    cycles: int = 0
    objects: int = 0
    problems: int = 0
    slowest: float = 0.0  # seconds
    slowest_cycle: int = -1
    lost: list[tuple[int, str]] = field(default_factory=list)


@cache
def world() -> World:
    """The healthy world; made once."""
    made = example()
    objects = copy.deepcopy(made.objects)
    for pod in objects["pods"]:
        spec: Json = pod["spec"]
        spec["nodeSelector"] = {"pool": spec["nodeName"].partition("-")[0]}
    objects["namespaces"] += [{"metadata": {"name": name, "uid": f"ns-{name}"}} for name in TENANTS]
    names = [n["metadata"]["name"] for n in objects["namespaces"]]  # type: ignore[index,call-overload]
    objects["serviceaccounts"] = [{"metadata": {"name": "default", "namespace": n, "uid": f"sa-{n}"}} for n in names]
    lines = {key: tuple(map(msgspec.json.encode, objects.get(key, ()))) for key in KINDS}
    policy = load_policy(POLICY, "fuzz")
    observed = Observed(snapshot_of(lines, made.taken_at), made.histories, made.taken_at)
    profiles = profile(observed)
    healthy = frozenset(names) - set(TENANTS)
    return World(
        lines=lines,
        histories=made.histories,
        profiles=profiles,
        policy=policy,
        now=made.taken_at,
        alone=verdicts(outcome_of(observed, policy, profiles), healthy),
        namespaces=healthy,
        nodes=tuple(node.name for node in observed.snapshot.nodes),
    )


def snapshot_of(lines: Mapping[str, Iterable[bytes]], taken_at: float) -> ClusterSnapshot:
    """As a live cluster is read: each kind one page of a list."""
    stores = {key: _listed(key, found) for key, found in lines.items()}
    return assemble(
        {key: store.objects.values() for key, store in stores.items()},
        taken_at=taken_at,
        cluster="fuzz",
        freshness=fresh(taken_at, lines),
        problems=[problem for store in stores.values() for problem in store.problems.values()],
    )


def _listed(key: str, lines: Iterable[bytes]) -> ObjectStore:
    codec = Codec(KINDS[key].at(KINDS[key].versions[0]), Interner())
    store = ObjectStore(codec)
    store.page(codec.page(b'{"metadata":{},"items":[' + b",".join(lines) + b"]}"))
    return store


def verdicts(outcome: Outcome, namespaces: frozenset[str]) -> Verdicts:
    """What an outcome says of the pods of these namespaces."""
    pods = outcome.view.snapshot.pods
    stays: dict[str, str] = {}
    for position, pod in enumerate(pods):
        if pod.namespace in namespaces:
            blocked = outcome.view.blocked(position)
            stays[pod.key] = blocked.reason.value if blocked else ""
    hot = [a.proposal for a in outcome.accepted if a.proposal.finding.strategy == "HotNodes"]
    nodes = outcome.view.snapshot.nodes
    moves = {(pods[m.pod].key, nodes[m.source].name) for proposal in hot for m in proposal.moves}
    return Verdicts(stays, frozenset(found for found in moves if found[0].split("/")[0] in namespaces))


def strangers(rng: Random, count: int, first: int, *, kind: str = "", among: bool = False) -> dict[str, list[bytes]]:
    """`count` objects of all kinds (or of one), mutated; none takes the place of a healthy one.

    Their pods run on nodes of their own or, `among` the others, on those of the healthy.
    """
    found: dict[str, list[bytes]] = {}
    keys = (kind,) if kind else tuple(KINDS)
    for number in range(first, first + count):
        key = kind or ("pods" if rng.random() < 0.35 else rng.choice(keys))
        made = _apart(mutated(rng, key, valid(rng, key, number)), key)
        if among and key == "pods" and isinstance(spec := made.get("spec"), dict) and spec.get("nodeName") in NODES:
            spec["nodeName"] = rng.choice(world().nodes)
        found.setdefault(key, []).append(msgspec.json.encode(made))
    return found


def _apart(made: Json, key: str) -> Json:
    """What rights forbid: nobody writes into another's namespace."""
    meta = made.get("metadata")
    if isinstance(meta, dict):
        if KINDS[key].name in CLUSTER_WIDE:
            meta.pop("namespace", None)
        elif str(meta.get("namespace")) in world().namespaces:
            meta["namespace"] = TENANTS[0]
    return made


def cycle(strange: Strange, *, formats: bool = False, among: bool = False) -> tuple[int, str]:
    """One cycle; how many objects are named as problems, and why the cycle was lost (empty: it was not).

    Of healthy pods beside strange ones (`among`) it is not asked whether all is decided as without these: what takes
    room on a node, or cannot be read there, changes what may be done on it.
    """
    healthy = world()
    try:
        lines = {key: (*found, *strange.get(key, ())) for key, found in healthy.lines.items()}
        snapshot = snapshot_of(lines, healthy.now)
        outcome = outcome_of(Observed(snapshot, healthy.histories, healthy.now), healthy.policy, healthy.profiles)
        plan = build_document(outcome)
        size = len(to_json(plan))
        for form in FORMATS if formats else ():
            written(plan, form)
    except Exception as error:  # noqa: BLE001  whatever it is: that is what is looked for
        return 0, f"{type(error).__name__}: {str(error)[:300]}"
    return len(snapshot.problems), _fault(outcome, size) or ("" if among else _changed(outcome))


def _fault(outcome: Outcome, size: int) -> str:
    """What is wrong with an outcome, empty when nothing is."""
    failed = [p.text for p in outcome.problems if p.kind is ProblemKind.STRATEGY]
    if failed:
        return f"strategy: {failed[0][:300]}"
    if outcome.context.stops:
        return f"stopped: {outcome.context.stops[0][:300]}"
    longest = max((len(p.text) for p in outcome.problems), default=0)
    if longest > LONGEST_LINE or size > LARGEST_PLAN:
        return f"the plan has {size} bytes, its longest problem {longest} characters"
    return ""


def _changed(outcome: Outcome) -> str:
    """What is decided of healthy pods that is not decided without the others, empty for nothing."""
    alone, found = world().alone, verdicts(outcome, world().namespaces)
    if found == alone:
        return ""
    changed = {key: (was, found.stays.get(key)) for key, was in alone.stays.items() if found.stays.get(key) != was}
    return f"healthy pods are decided otherwise: {str(changed)[:300]} moves {sorted(found.moves ^ alone.moves)[:4]}"


def run(seed: int, objects: int, batch: int) -> Tally:
    """Cycles with `objects` strange objects in all, `batch` in each, in every fourth among the healthy ones.

    The same seed is the same objects.
    """
    tally = Tally()
    cycle({}, formats=True)  # what is imported once is not part of any cycle
    for first in range(0, objects, batch):
        number = first // batch
        among = number % 4 == 3
        strange = strangers(Random(f"{seed}-{number}"), min(batch, objects - first), first, among=among)
        began = time.perf_counter()
        problems, lost = cycle(strange, formats=number % 20 == 0, among=among)
        seconds = time.perf_counter() - began
        tally.cycles += 1
        tally.objects += sum(map(len, strange.values()))
        tally.problems += problems
        if seconds > tally.slowest:
            tally.slowest, tally.slowest_cycle = seconds, number
        if lost:
            tally.lost.append((number, lost))
    return tally
