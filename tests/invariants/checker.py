"""Holds a plan against what no plan may do, from the objects of the snapshot and the document alone.

It shares no code with planning, placement or units; it walks the waves in order, and in each the actions in order.
An action is atomic. The pods of a wave are disrupted at once, and are back and ready before the next wave.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from descheduler.model.plan import Action, PlanDocument
from descheduler.model.pods import Phase, Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Workload, WorkloadKey
from invariants.budgets import over_budget
from invariants.document import untrue
from invariants.gangs import Gang, alive, closures, read_gangs
from invariants.past import NOTHING, Past
from invariants.placing import Places
from invariants.quotas import Quotas

CRITICAL = 2_000_000_000


@dataclass(frozen=True)
class Violation:
    """`kind` is one of: budget, gang, capacity, predicate, limit, protected, past, quota, twice, document, unstable,
    crash.
    """

    kind: str
    detail: str


@dataclass(frozen=True)
class Rules:
    """What the policy of the plan asked for, as it is written there; None is unlimited."""

    per_node: int | str | None = None
    per_namespace: int | str | None = None
    per_workload: int | str | None = None
    per_cycle: int | str | None = None
    per_hour: int | str | None = None
    waves: int | None = None
    max_load: Mapping[str, float] | None = None
    nodes_per_cycle: int | str | None = None


class Checker:
    """One plan of one snapshot. `in_flight` (positions) were being evicted before it; `recent` moves of this hour;
    `past` what was moved before, and the windows.
    """

    def __init__(
        self,
        plan: PlanDocument,
        snapshot: ClusterSnapshot,
        rules: Rules,
        in_flight: Collection[int],
        recent: int,
        past: Past = NOTHING,
    ) -> None:
        self.plan = plan
        self.snapshot = snapshot
        self.rules = rules
        self.recent = recent
        self.past = past
        self.index = {p.key: i for i, p in enumerate(snapshot.pods)}
        self.gone = {i for i, p in enumerate(snapshot.pods) if p.deleting is not None and not p.terminal} | set(
            in_flight
        )
        self.gangs = closures(read_gangs(snapshot)) if plan.actions else []

    def violations(self) -> list[Violation]:
        """Everything that is wrong."""
        found = [Violation("document", text) for text in untrue(self.plan, self.snapshot)]
        if any(v.detail.endswith("unknown") for v in found) or not self.plan.actions:
            return found
        checks = {
            "twice": self._twice(),
            "protected": self._protected(),
            "past": self._too_soon(),
            "quota": self._unadmitted(),
            "limit": self._totals(),
            "predicate": self._placed(),
            "capacity": self._capacity(),
            "room": (*self._beside(), *self._spoken_for(), *self._mixed()),
        }
        found += [Violation(kind, text) for kind, texts in checks.items() for text in texts]
        for wave, actions in groupby(self._ordered(), key=lambda a: a.wave):
            down = {i for a in actions for i in self._restarted(a)}
            together = [{*self._moved(a)} for a in self.plan.actions if a.wave == wave]
            checks = {
                "budget": over_budget(self.snapshot, self.gone, down),
                "gang": self._torn(down, together),
                "limit": self._workloads(down),
            }
            found += [Violation(kind, f"wave {wave}: {text}") for kind, texts in checks.items() for text in texts]
        return found

    def _ordered(self) -> list[Action]:
        return sorted(self.plan.actions, key=lambda a: a.wave)

    def _moved(self, action: Action) -> list[int]:
        return [self.index[f"{m.namespace}/{m.pod}"] for m in action.pods]

    def _restarted(self, action: Action) -> list[int]:
        return self._running(action) + [self.index[key] for key in action.also_restarted]

    def _running(self, action: Action) -> list[int]:
        """Those of its pods that are not over."""
        return [i for i in self._moved(action) if not self.snapshot.pods[i].terminal]

    def _ordered_moves(self) -> list[Action]:
        return [action for action in self._ordered() if action.kind == "Move"]

    def _twice(self) -> Iterator[str]:
        counts = Counter(i for a in self.plan.actions for i in self._moved(a))
        for i, times in counts.items():
            if times > 1:
                yield f"{self.snapshot.pods[i].key} moves {times} times"

    def _protected(self) -> Iterator[str]:
        evictions: Counter[WorkloadKey] = Counter()
        for action in self.plan.actions:
            for i in self._moved(action):
                pod = self.snapshot.pods[i]
                why = self._kept(pod, i) if action.kind == "Remove" else self._untouchable(pod, i)
                if why:
                    yield f"{pod.key} is {why}"
                if not pod.terminal and pod.controller is not None and pod.controller.kind == "Job":
                    evictions[WorkloadKey(pod.namespace, "Job", pod.controller.name)] += 1
        for key, times in evictions.items():
            job = self.snapshot.workloads[key]
            limit = 6 if job.backoff_limit is None else job.backoff_limit
            if job.on_eviction in ("Ignore", "Count"):
                fails = job.on_eviction == "Count" and job.failed + times > limit
            else:
                fails = True
            if fails and not self._in_set(job):
                yield f"of {key} {times} pods are evicted, {job.failed} failed before, {limit} may fail"

    def _too_soon(self) -> Iterator[str]:
        for action in self.plan.actions:
            for i in self._running(action):
                pod = self.snapshot.pods[i]
                for why in self.past.why_not(pod, str(self._root(pod))):
                    yield f"{pod.key} is {why}"

    def _unadmitted(self) -> Iterator[str]:
        quotas = Quotas(self.snapshot)
        for action in self._ordered():
            for why in quotas.broken(self._running(action)):
                yield f"{action.id}: {why}"

    def _in_set(self, job: Workload) -> bool:
        return any(o.kind == "JobSet" for o in job.owners)

    def _untouchable(self, pod: Pod, i: int) -> str:
        labels, notes = pod.labels, pod.annotations
        virtual = {n.name for n in self.snapshot.nodes if n.virtual}
        silent = {n.name for n in self.snapshot.nodes if not n.ready or n.drained}
        reasons = {
            "not running": pod.phase is not Phase.RUNNING or not pod.node,
            "terminating or on its way out": i in self.gone,
            "without a controller": pod.controller is None,
            "a DaemonSet's": any(o.kind == "DaemonSet" for o in pod.owners),
            "static": "kubernetes.io/config.mirror" in notes,
            "critical": pod.priority >= CRITICAL,
            "tied to local storage": pod.spec.local_storage,
            "opted out": notes.get("descheduler.alpha.kubernetes.io/evict") == "false",
            "unreadable": bool(pod.problem),
            "a user of a claim that is going": any(self._going(pod.namespace, name) for name in pod.claims),
            "a Ray head": labels.get("ray.io/node-type") == "head",
            "a Spark driver": labels.get("spark-role") == "driver",
            "on a virtual node": pod.node in virtual,
            "on a node that is not ready, or going": pod.node in silent,
            "made again when others are": self._waits(pod),
            "made again where its template says, or when somebody lifts its gates": self._pinned(pod),
        }
        return next((why for why, so in reasons.items() if so), "")

    def _kept(self, pod: Pod, i: int) -> str:
        """Why it may not be removed: of a pod that is over, only what people say of it."""
        started = replace(pod, phase=Phase.RUNNING) if pod.phase is Phase.PENDING else pod
        if not pod.terminal:
            owner = self._owner(pod)
            back = owner is not None and owner.template is not None and owner.template.node == pod.node
            return (
                ""
                if back and not (owner and owner.template and owner.template.gated)
                else self._untouchable(started, i)
            )
        ready = {n.name for n in self.snapshot.nodes if n.ready and not n.virtual}
        reasons = {
            "terminating or on its way out": i in self.gone or pod.deleting is not None,
            "without an owner": not pod.owners,
            "a DaemonSet's": any(o.kind == "DaemonSet" for o in pod.owners),
            "static": "kubernetes.io/config.mirror" in pod.annotations,
            "critical": pod.priority >= CRITICAL,
            "tied to local storage": pod.spec.local_storage,
            "opted out": pod.annotations.get("descheduler.alpha.kubernetes.io/evict") == "false",
            "a Ray head": pod.labels.get("ray.io/node-type") == "head",
            "a Spark driver": pod.labels.get("spark-role") == "driver",
            "on no node that is ready and real": pod.node not in ready,
            "one that its operator would run again": any("kubeflow.org" in o.api_version for o in pod.owners),
        }
        return next((why for why, so in reasons.items() if so), "")

    def _owner(self, pod: Pod) -> Workload | None:
        owner = pod.controller
        return (
            None if owner is None else self.snapshot.workloads.get(WorkloadKey(pod.namespace, owner.kind, owner.name))
        )

    def _waits(self, pod: Pod) -> bool:
        """Whether a StatefulSet makes it again only when another, lower one is ready; or not at all."""
        owner = self._owner(pod)
        if owner is None or owner.ordinals is None:
            return False
        name, _, number = pod.name.rpartition("-")
        mine = {p.name: p for p in self.snapshot.pods if p.namespace == pod.namespace}
        lower = [mine.get(f"{name}-{i}") for i in range(int(number))]
        well = all(p and p.ready and p.phase is Phase.RUNNING and p.deleting is None for p in lower)
        return (owner.ordinals.ordered and not well) or int(number) >= owner.replicas

    def _pinned(self, pod: Pod) -> bool:
        owner = self._owner(pod)
        return owner is not None and owner.template is not None and (owner.template.gated or bool(owner.template.node))

    def _totals(self) -> Iterator[str]:
        pods = [i for a in self.plan.actions for i in {*self._moved(a), *self._restarted(a)}]
        rules, where = self.rules, [self.snapshot.pods[i] for i in pods]
        known = {node.name for node in self.snapshot.nodes}
        running = [p for p in self.snapshot.pods if p.node in known and not p.terminal]
        for name, written, used in (
            ("cycle", rules.per_cycle, len(pods)),
            ("hour", rules.per_hour, len(pods) + self.recent),
        ):
            yield from _over(f"a {name}", used, written, len(running))
        left = {self.snapshot.pods[i].node for a in self.plan.actions for i in self._restarted(a)}
        yield from _over("nodes", len(left), rules.nodes_per_cycle, len(self.snapshot.nodes))
        for rule, mine, all_of_them in (
            (rules.per_node, [p.node for p in where], [p.node for p in running]),
            (rules.per_namespace, [p.namespace for p in where], [p.namespace for p in running]),
        ):
            sizes = Counter(all_of_them)
            for name, count in Counter(mine).items():
                yield from _over(f"in {name}", count, rule, sizes[name])
        waves = 1 + max(a.wave for a in self.plan.actions)
        if rules.waves is not None and waves > rules.waves:
            yield f"{waves} waves, {rules.waves} are allowed"

    def _placed(self) -> Iterator[str]:
        places = Places(self.snapshot)
        for action in self._ordered():
            if action.kind == "Remove":
                yield from self._made_again(places, action)
                continue
            for i in self._moved(action):
                places.where.pop(i, None)
            for i, move in zip(self._moved(action), action.pods, strict=True):
                pod = places.made[i]
                why = places.why_not(pod, move.destination)
                if why:
                    yield f"{action.id} in wave {action.wave}: {pod.key} to {move.destination}: {why}"
                places.where[i] = move.destination

    def _made_again(self, places: Places, action: Action) -> Iterator[str]:
        """Each has some place when all of them have ended, and stays where it is: its room is nobody else's."""
        again = {i: places.where.pop(i) for i in self._running(action)}
        for i, home in again.items():
            pod = places.made[i]
            found = next((n for n in (home, *places.nodes) if not places.why_not(pod, n)), None)
            if found is None:
                yield f"{action.id} in wave {action.wave}: {pod.key} has no place to be made again"
            places.where[i] = found or home
        places.where.update(again)

    def _mixed(self) -> Iterator[str]:
        """Where the scheduler decides, nobody moves while others are made again, nobody knows where."""
        if self.plan.landing == "reserved":
            return
        kinds = {(a.wave, a.kind) for a in self.plan.actions if self._restarted(a)}
        for wave in range(1 + max(a.wave for a in self.plan.actions)):
            if {(wave, "Move"), (wave, "Remove")} <= kinds:
                yield f"in wave {wave} some move, and others are removed and made again"

    def _capacity(self) -> Iterator[str]:
        places = Places(self.snapshot)
        start = [n.name for n in self.snapshot.nodes if places.overfull(n.name)]
        if start:
            yield f"the cluster itself was drawn overfull: {start}"
        for action in self._ordered_moves():
            for i, move in zip(self._moved(action), action.pods, strict=True):
                places.where[i] = move.destination
            for name in sorted({m.destination for m in action.pods}):
                over = places.overfull(name)
                if over:
                    yield f"after {action.id} in wave {action.wave}: {name} holds {over}"
        for seat in {seat for action in self.plan.actions for seat in action.room_for}:
            places.where[self.index[f"{seat.namespace}/{seat.pod}"]] = seat.node
        for name in sorted({seat.node for action in self.plan.actions for seat in action.room_for}):
            over = places.overfull(name)
            if over:
                yield f"with those for whom room is made: {name} holds {over}"

    def _beside(self) -> Iterator[str]:
        """Within a wave nobody needs the room of those whom other actions of it evict."""
        places = Places(self.snapshot)
        for wave, found in groupby(self._ordered_moves(), key=lambda a: a.wave):
            actions = list(found)
            left: dict[int, str] = {}
            for action in actions:
                own = {i: places.where[i] for i in self._moved(action)}
                places.terminating = left
                for i, move in zip(own, action.pods, strict=True):
                    places.where[i] = move.destination
                for name in sorted({m.destination for m in action.pods}):
                    over = places.overfull(name)
                    if over:
                        yield f"{action.id} in wave {wave}: {name} holds {over} until others of the wave have ended"
                left = {**left, **own}
            places.terminating = {}

    def _spoken_for(self) -> Iterator[str]:
        """Nobody takes the room of a nominated pod that does not rank below him."""
        places, pods = Places(self.snapshot), self.snapshot.pods
        for action in self._ordered_moves():
            for i, move in zip(self._moved(action), action.pods, strict=True):
                places.where[i] = move.destination
            waiting = {p: pod.nominated for p, pod in enumerate(pods) if pod.nominated and _waits(pod)}
            for i, move in zip(self._moved(action), action.pods, strict=True):
                here = [p for p, node in waiting.items() if node == move.destination]
                ranking = [p for p in here if pods[p].priority >= pods[i].priority]
                for resource in places.short(move.destination, i, [pods[p] for p in ranking]) if ranking else ():
                    yield f"{action.id}: {pods[i].key} takes {resource} of {move.destination} from nominated pods"

    def _going(self, namespace: str, name: str) -> bool:
        claim = self.snapshot.claims.get((namespace, name))
        return claim is not None and claim.deleting

    def _torn(self, down: set[int], together: list[set[int]]) -> Iterator[str]:
        for closure in self.gangs:
            members = {m for g in closure for m in g.members}
            hit = members & down
            if not hit:
                continue
            name = " + ".join(g.name for g in closure)
            stuck = next((g.stuck or "evictions fail it" for g in closure if g.stuck or g.fails), "")
            if stuck:
                yield f"{name} may not move: {stuck}"
            if self._is_whole(closure) and not any(members <= one for one in together):
                yield f"{name} moves whole, yet only {len(hit)} of {len(members)} do"
            yield from self._too_few(closure, down)

    def _too_few(self, closure: list[Gang], down: set[int]) -> Iterator[str]:
        first = min(g.rank for g in closure)
        same = len({tuple(g.members) for g in closure}) == 1
        for gang in closure:
            if same and gang.rank > first:
                continue
            up = [i for i in gang.members if alive(self.snapshot.pods[i]) and i not in self.gone]
            left = [i for i in up if i not in down]
            if left and len(left) < gang.minimum and len(left) < len(up):
                yield f"{gang.name}: {len(left)} of {len(up)} stay up, {gang.minimum} are needed"

    def _is_whole(self, closure: list[Gang]) -> bool:
        if len({tuple(g.members) for g in closure}) > 1 or any(g.whole for g in closure):
            return True
        first = min(closure, key=lambda g: g.rank)
        return not first.per_pod and first.minimum > 1

    def _workloads(self, down: set[int]) -> Iterator[str]:
        limit = self.rules.per_workload
        if limit is None:
            return
        size: Counter[WorkloadKey] = Counter()
        tokens: dict[WorkloadKey, set[str]] = {}
        whole = {m: n for n, c in enumerate(self.gangs) if self._is_whole(c) for g in c for m in g.members}
        for i, pod in enumerate(self.snapshot.pods):
            key = self._root(pod)
            size[key] += bool(pod.node) and not pod.terminal
            if i in down or i in self.gone:
                tokens.setdefault(key, set()).add(f"gang {whole[i]}" if i in whole else f"pod {i}")
        for key in {self._root(self.snapshot.pods[i]) for i in down}:
            cap = limit if isinstance(limit, int) else max(1, math.floor(int(limit[:-1]) * size[key] / 100))
            if len(tokens[key]) > cap:
                yield f"{len(tokens[key])} of {key} are down, {cap} may be"
            lacks, more = self._lacks(key, down, whole)
            if more and lacks + more > cap:
                yield f"{key} lacks {lacks} pods, and {more} more are down, {cap} may be"

    def _lacks(self, key: WorkloadKey, down: set[int], whole: dict[int, int]) -> tuple[int, int]:
        """How much a workload lacks before the wave, and how many disruptions are of what was well."""
        mine = [i for i, p in enumerate(self.snapshot.pods) if self._root(p) == key and p.node and not p.terminal]
        token = {i: f"gang {whole[i]}" if i in whole else f"pod {i}" for i in mine}
        there = [i for i in mine if i not in self.gone]
        unready = {token[i] for i in there if not self.snapshot.pods[i].ready}
        found = self.snapshot.workloads.get(key) if key.kind in ("Deployment", "ReplicaSet", "StatefulSet") else None
        missing = 0 if found is None else found.replicas - len(there)
        ill = unready | {token[i] for i in mine if i in self.gone}
        return max(0, len(unready) + missing), len({token[i] for i in mine if i in down} - ill)

    def _root(self, pod: Pod) -> WorkloadKey:
        owner = pod.controller
        if owner is None:
            return WorkloadKey(pod.namespace, "Pod", pod.name)
        key = WorkloadKey(pod.namespace, owner.kind, owner.name)
        above = self.snapshot.workloads.get(key)
        owners = above.owners if above is not None else ()
        return WorkloadKey(pod.namespace, owners[0].kind, owners[0].name) if owners else key


def _over(what: str, used: int, written: int | str | None, size: int) -> Iterator[str]:
    """Set where more is used than a limit lets be: a number, `10%` of the size, or `max(3, 10%)`."""
    if written is None:
        return
    cap = written
    if isinstance(cap, str):
        least, _, share = cap.removeprefix("max(").removesuffix(")").rpartition(",")
        cap = max(int(least or 1), math.floor(float(share.strip().removesuffix("%")) * size / 100))
    if used > cap:
        yield f"{used} {what}, {written} are allowed"


def _waits(pod: Pod) -> bool:
    """Whether it may still come to its node; what is left of a nomination says nothing of one that has ended."""
    return pod.deleting is None and not pod.terminal
