"""Asks the real scheduler and ours where pods may go, in many small clusters at once, and compares the answers.

Each round creates one pending pod in every case. The real scheduler binds it or says why it cannot; ours is
asked on the state without any pod of the round.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from agreement.claims import KINDS as CLAIM_CLASSES
from agreement.claims import ClaimCase
from agreement.decisions import decisions, refusal
from agreement.manifests import CLASSES, Manifest, shared
from agreement.manifests import Case as PodCase
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, WhatIf, prepare

TURNS = 6
_SIDE_BY_SIDE = 40
_TIMEOUT = 60.0
_EARLY = ("didn't satisfy plugin", "persistentvolumeclaim", "PersistentVolumeClaims", "affinity terms conflict")

Key = tuple[str, str]
Case = PodCase | ClaimCase


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`explained` names the known cause, empty when there is none."""

    case: int
    kind: str
    what: str
    pod: Key
    detail: str
    explained: str = ""


@dataclass
class Tally:
    """What came of all cases."""

    cases: int = 0
    placed: int = 0
    disagreements: list[Disagreement] = field(default_factory=list)
    landed: Counter[str] = field(default_factory=Counter)  # by class: pods placed that had a choice
    hits: Counter[str] = field(default_factory=Counter)  # … on a node that we called likeliest
    alone: Counter[str] = field(default_factory=Counter)  # … pods for which we called one node alone likeliest
    alone_hits: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)  # nodes that the scheduler refused, by its reason

    @property
    def unexplained(self) -> list[Disagreement]:
        return [d for d in self.disagreements if not d.explained]

    def by_class(self) -> dict[str, int]:
        """Number of disagreements by what they are about."""
        return dict(Counter(f"{d.kind}: {d.what}" for d in self.disagreements))

    def disagreed(self, kind: str) -> int:
        """Disagreements in cases of one class."""
        return sum(d.kind == kind for d in self.disagreements)

    def hit_rate(self, kind: str | None = None) -> float | None:
        """Share of placed pods that landed on a node that we called likeliest; None without any."""
        landed = self.landed.total() if kind is None else self.landed[kind]
        hits = self.hits.total() if kind is None else self.hits[kind]
        return hits / landed if landed else None


def run(
    plane: ControlPlane,
    cases: int,
    seed: int,
    progress: Callable[[int], None] = lambda _: None,
    *,
    claims: bool = False,
) -> Tally:
    """Compare at least so many decisions, in clusters of all classes by turns; with `claims` in those of devices."""
    kinds = CLAIM_CLASSES if claims else CLASSES
    make: Callable[[int, str, Random], Case] = ClaimCase.make if claims else PodCase.make
    tally = Tally()
    number = 0
    rng = Random(seed)
    plane.client.apply_all(shared())
    while tally.cases < cases:
        clusters = min(_SIDE_BY_SIDE, -(-(cases - tally.cases) // TURNS))
        drawn = [make(number + i, kinds[(number + i) % len(kinds)], Random(rng.random())) for i in range(clusters)]
        number += clusters
        _Round(plane, drawn, tally, progress).play()
        _clear(plane.client, drawn)
    return tally


class _Round:
    """Some cases side by side."""

    def __init__(self, plane: ControlPlane, cases: list[Case], tally: Tally, progress: Callable[[int], None]) -> None:
        self._plane = plane
        self._client = plane.client
        self._cases = cases
        self._tally = tally
        self._progress = progress
        self._known: set[Key] = set()

    def play(self) -> None:
        self._set_up()
        active = list(self._cases)
        for turn in range(TURNS):
            self._known = {_key(p) for p in self._client.list("Pod")}
            _each(active, partial(self._create_probe, turn))
            decided = decisions(self._client, self._known, len(active))
            self._compare(active, decided)
            active = [c for c in active if not self._stuck(c, decided[c.number])]
            self._progress(self._tally.cases)

    def _set_up(self) -> None:
        client = self._client
        _each([m for c in self._cases for m in c.namespace_manifests()], client.create)
        _each([m for c in self._cases for m in (*c.nodes, *c.rest)], client.create)
        names = [n["metadata"]["name"] for c in self._cases for n in c.nodes if "kubelet.test/node" not in _labels(n)]
        client.wait_for_nodes(*names, timeout=_TIMEOUT)
        client.wait_for(self._claims_bound, _TIMEOUT, what="bound claims")
        _each([m for c in self._cases for m in c.pods], client.create)
        _each([m for c in self._cases if isinstance(c, ClaimCase) for m in c.given], self._give)
        client.wait_for(self._running, _TIMEOUT, what="running pods")
        _each([m["metadata"] for c in self._cases for m in c.pods if "annotations" in m["metadata"]], self._terminate)
        seen: list[Any] = [None]
        client.wait_for(lambda: self._settled(seen), _TIMEOUT, what="a settled cluster", every=0.5)

    def _give(self, claim: Manifest) -> None:
        """Allocate the claim to the pod that keeps it."""
        name, namespace = claim["metadata"]["name"], claim["metadata"]["namespace"]
        keeper = self._client.get("Pod", name.replace("given", "keeper"), namespace)["metadata"]
        holders = [{"resource": "pods", "name": keeper["name"], "uid": keeper["uid"]}]
        self._client.patch_status("ResourceClaim", name, {**claim["status"], "reservedFor": holders}, namespace)

    def _terminate(self, meta: Manifest) -> None:
        self._client.delete("Pod", meta["name"], meta["namespace"])

    def _claims_bound(self) -> bool:
        claims = self._client.list("PersistentVolumeClaim")
        return all(c["status"].get("phase") == "Bound" for c in claims if c["spec"].get("volumeName"))

    def _running(self) -> bool:
        down = {n["metadata"]["name"] for c in self._cases for n in c.nodes if "kubelet.test/node" in _labels(n)}
        pods = [p for p in self._client.list("Pod") if p["spec"].get("nodeName", "") not in down]
        return all(p["status"].get("phase") == "Running" for p in pods if p["spec"].get("nodeName"))

    def _settled(self, seen: list[Any]) -> bool:
        # The taint manager takes away pods that do not tolerate NoExecute; wait until nothing moves any more.
        now = sorted((_key(p), bool(p["metadata"].get("deletionTimestamp"))) for p in self._client.list("Pod"))
        before, seen[0] = seen[0], now
        return bool(before == now)

    # -- probes -----------------------------------------------------------------------------------------------------

    def _create_probe(self, turn: int, case: Case) -> None:
        probe = case.probe(turn)
        if probe["kind"] == "Pod":
            self._client.create(probe)
        else:
            meta = probe["metadata"]
            self._client.patch("ReplicaSet", meta["name"], {"spec": {"replicas": probe["replicas"]}}, meta["namespace"])

    def _stuck(self, case: Case, pod: Manifest) -> bool:
        """Delete a probe that cannot be placed; its ReplicaSet would only make another."""
        if pod["spec"].get("nodeName"):
            return False
        if case.kind == "replicas":
            return True
        self._client.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"], grace_period_seconds=0)
        return False

    # -- comparing --------------------------------------------------------------------------------------------------

    def _compare(self, active: Sequence[Case], decided: dict[int, Manifest]) -> None:
        snapshot = self._read()
        state = prepare(snapshot).what_if()
        given = self._given() if any(isinstance(case, ClaimCase) for case in active) else {}
        probes = {case.number: snapshot.pod_index[_key(decided[case.number])] for case in active}
        for position in probes.values():
            state.remove(position)
        for case in active:
            self._tally.cases += 1
            pod = decided[case.number]
            name = pod["spec"].get("nodeName")
            if name:
                position, node = probes[case.number], snapshot.node_index[name]
                found = self._placed(case, state, position, node) or _other_devices(case, state, position, node, given)
            else:
                message = refusal(pod)
                self._tally.refusals.update(_reasons(message) or {message[:80]: 1})
                found = _refused(case, state, probes[case.number], message)
            if found:
                self._tally.disagreements.append(found)

    def _placed(self, case: Case, state: WhatIf, pod: int, node: int) -> Disagreement | None:
        snapshot = state.placement.snapshot
        tally = self._tally
        tally.placed += 1
        verdict = Predicate(int(state.verdicts(pod)[node]))
        one = snapshot.pods[pod]
        if verdict is not Predicate.OK:
            explained = "we never choose a node that is not ready" if verdict is Predicate.NOT_READY else ""
            where = f"{snapshot.nodes[node]} has {one}"
            return Disagreement(
                case.number, case.kind, f"we refuse: {verdict.name}", (one.namespace, one.name), where, explained
            )
        if int(state.fits(pod).sum()) < 2:
            return None  # nothing to predict
        likely = state.likely(pod)
        best = {n for n, share in likely if share >= likely[0][1] * 0.999}
        tally.landed[case.kind] += 1
        tally.hits[case.kind] += node in best
        if len(best) == 1:
            tally.alone[case.kind] += 1
            tally.alone_hits[case.kind] += node in best
        if node not in best:
            seen = state.outlook(pod)
            scores = {snapshot.nodes[n].name: s for n, s in zip(seen.room, seen.totals().tolist(), strict=True)}
            tally.misses.append(f"{case.kind} {one.key}: on {snapshot.nodes[node].name}, scores {scores}")
        return None

    def _given(self) -> Given:
        """By claim, the devices that it was given."""
        return {
            _key(claim): [(r["driver"], r["pool"], r["device"]) for r in found["devices"].get("results", ())]
            for claim in self._client.list("ResourceClaim")
            if (found := claim.get("status", {}).get("allocation"))
        }

    def _read(self) -> ClusterSnapshot:
        client = connect(self._plane.kubeconfig())
        try:
            return read_cluster(client, clock=time.time)
        finally:
            client.close()


Given = dict[Key, list[tuple[str, str, str]]]


def _other_devices(case: Case, state: WhatIf, pod: int, node: int, given: Given) -> Disagreement | None:
    """Whether the scheduler gave new claims other devices than we say it gives."""
    devices, table, one = state.placement.devices, state._claims, state.placement.snapshot.pods[pod]
    wanted = devices.wanted(pod, one.spec) if devices is not None else None
    if table is None or wanted is None:
        return None
    made = zip(one.device_claims, wanted.on(node), strict=True)
    new = [given[one.namespace, name] for name, each in made if table.demand(each) is not None]
    theirs = [device for found in new for device in found]
    ours = [(found.driver, found.pool, found.device) for found in table.fork().take(~pod, node, wanted)]
    if theirs == ours:
        return None
    return Disagreement(case.number, case.kind, "other devices", (one.namespace, one.name), f"{theirs}; we: {ours}")


def _refused(case: Case, state: WhatIf, pod: int, message: str) -> Disagreement | None:
    one = state.placement.snapshot.pods[pod]
    key = (one.namespace, one.name)
    fits = [state.placement.snapshot.nodes[n].name for n in state.fits(pod).nonzero()[0].tolist()]
    if fits:
        return Disagreement(case.number, case.kind, "we find a place", key, f"{fits}; the scheduler: {message}; {one}")
    theirs, ours = _reasons(message), _reasons(state.explain_text(pod))
    if _before_filters(message) or theirs == ours:
        return None
    return Disagreement(case.number, case.kind, "other reasons", key, f"the scheduler: {theirs}; we: {ours}; {one}")


def _before_filters(message: str) -> bool:
    """Whether a plug-in refused before nodes were looked at, which leaves no reason for each."""
    return bool(
        re.search(
            r"didn't satisfy plugin|persistentvolumeclaim|PersistentVolumeClaims|affinity terms conflict"
            r"|running .* plugin|device class .* does not exist",
            message,
        )
    )


def _reasons(message: str) -> dict[str, int]:
    """ "0/5 nodes are available: 3 Insufficient cpu, 2 …. preemption: …" as counts by reason."""
    text = message.split(" preemption:")[0].partition("available: ")[2]
    text = re.split(r"\. (?:no new claims|still not schedulable)", text)[0].strip().rstrip(".,")
    counts: Counter[str] = Counter()
    for part in re.split(r", (?=\d+ )", text):
        number, _, reason = part.partition(" ")
        if number.isdigit():
            # A node that is not ready has the taint that says so; we name the cause.
            counts["node(s) had untolerated taint(s)" if reason == "node(s) were not ready" else reason] += int(number)
    return dict(counts)


def _clear(client: ApiClient, cases: Sequence[Case]) -> None:
    """Delete the cases' objects, so that the next ones have the cluster for themselves."""
    for case in cases:
        if case.kind == "replicas":
            client.delete("ReplicaSet", "web", case.namespaces[0])
    pods = [p["metadata"] for p in client.list("Pod")]
    _each(pods, lambda m: client.delete("Pod", m["name"], m["namespace"], grace_period_seconds=0))
    _each([n["metadata"]["name"] for c in cases for n in c.nodes], lambda name: client.delete("Node", name))
    kinds = ("PersistentVolume", "CSINode", "ResourceSlice", "ResourceClaim", "DeviceClass")
    storage = [m for c in cases for m in c.rest if m["kind"].startswith(kinds)]
    _each(storage, lambda m: client.delete(m["kind"], m["metadata"]["name"], m["metadata"].get("namespace", "default")))
    client.wait_for(lambda: not client.list("Pod"), _TIMEOUT, what="an empty cluster")


def _each(items: Sequence[Any], do: Callable[[Any], object]) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(do, items):
            pass


def _labels(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("labels") or {})


def _key(pod: Manifest) -> Key:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]
