"""Whose pod it was: the workload under which a series is kept, so that a rescheduled pod keeps its history.

Of pods that exist the caller knows the topmost controller (`owner_of`). Pods and ReplicaSets of the past are gone;
only their names are left, and controllers name what they make by fixed patterns:
- Deployment: NAME-<pod-template-hash>-<5>, ReplicaSet and DaemonSet: NAME-<5>, both from the alphabet without vowels
  and without 0, 1, 3 (apimachinery pkg/util/rand, apiserver pkg/storage/names);
- StatefulSet: NAME-<ordinal>;
- Job: NAME-<5> or, indexed, NAME-<index>-<5>; CronJob: NAME-<scheduled minute> for the Job (pkg/controller/cronjob
  getJobName).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import starmap

from descheduler.model.workloads import WorkloadKey

OwnerOf = Callable[[str, str], WorkloadKey | None]

_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_POD_SUFFIX = re.compile(f"^(.+)-{_SAFE}{{5}}$")
_TEMPLATE_HASH = re.compile(f"^(.+)-{_SAFE}{{6,10}}$")
_ORDINAL = re.compile(r"^(.+)-\d{1,6}$")
_SCHEDULED = re.compile(r"^(.+)-(\d{8}|\d{10})$")

# Types as kubernetes-mixin writes them, in lower case or not; the rest are kinds of their own.
_KINDS = {
    kind.lower(): kind
    for kind in ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob", "ReplicationController")
} | {"barepod": "Pod", "staticpod": "Pod", "<none>": "Pod", "node": "Pod", "pod": "Pod"}


class Owners:
    """Answers whose pod or series it is; remembers, because each chunk of a back-fill asks again for the same pods."""

    def __init__(self, owner_of: OwnerOf, known: Iterable[WorkloadKey] = ()) -> None:
        self._owner_of = owner_of
        self._pods: dict[tuple[str, str], WorkloadKey] = {}
        self._present: dict[tuple[str, str], WorkloadKey | None] = {}
        self._learned: dict[int, WorkloadKey] = {}  # by identity: to hash a key takes longer than all else
        self._aliases: dict[tuple[str, str, str], WorkloadKey] = {}
        self._reported: dict[tuple[str, str], tuple[str, str]] = {}
        self._known: dict[tuple[str, str], set[str]] = defaultdict(set)
        for key in known:
            self.learn(key)

    def learn(self, key: WorkloadKey) -> None:
        """A workload that certainly exists or existed: names are read in its favour."""
        self._known[key.namespace, key.name].add(key.kind)

    def present(self, namespace: str, pod: str) -> WorkloadKey | None:
        """The owner of a pod that exists now, None for one that does not."""
        return self.all_present([(namespace, pod)])[0]

    def all_present(self, named: Sequence[tuple[str, str]]) -> list[WorkloadKey | None]:
        """The same of many pods."""
        known = self._present
        new = [at for at in named if at not in known]
        if new:
            found = list(starmap(self._owner_of, new))
            known.update(zip(new, found, strict=True))
            fresh = {id(key): key for key in found if key is not None}
            for key in (fresh[one] for one in fresh.keys() - self._learned.keys()):
                self.learn(key)
            self._learned.update(fresh)
        return [known[at] for at in named]

    def pod(self, namespace: str, pod: str) -> WorkloadKey:
        """The workload of a pod, present or past."""
        at = (namespace, pod)
        found = self._pods.get(at)
        if found is None:
            found = self.present(namespace, pod) or self._as_reported(namespace, pod) or self._by_name(namespace, pod)
            self._pods[at] = found
        return found

    def pods(self, named: Iterable[tuple[str, str]]) -> list[WorkloadKey]:
        """The workloads of many pods: those that exist first, as their owners help to read the names of the rest."""
        listed = list(named)
        return [key or self.pod(*at) for key, at in zip(self.all_present(listed), listed, strict=True)]

    def learn_reported(self, reported: Iterable[tuple[str, str, str, str]]) -> None:
        """Learn from the server's (namespace, pod, type, workload) whose the pods of the past were.

        Where such a pod exists, we also learn by majority what the server's workloads are called by us.
        """
        reported = list(reported)
        self._reported.update(((namespace, pod), (kind, name)) for namespace, pod, kind, name in reported)
        votes: dict[tuple[str, str, str], Counter[WorkloadKey]] = defaultdict(Counter)
        for namespace, pod, kind, name in reported:
            ours = self.present(namespace, pod)
            if ours is not None:
                votes[namespace, kind, name][ours] += 1
        for theirs, counted in votes.items():
            self._aliases[theirs] = min(counted, key=lambda key: (-counted[key], key))

    def _as_reported(self, namespace: str, pod: str) -> WorkloadKey | None:
        reported = self._reported.get((namespace, pod))
        return None if reported is None else self.workload(namespace, *reported)

    def workload(self, namespace: str, kind: str, name: str) -> WorkloadKey:
        """Our key of a workload as the server names it."""
        alias = self._aliases.get((namespace, kind, name))
        if alias is not None:
            return alias
        ours = _KINDS.get(kind.lower(), kind)
        if ours == "ReplicaSet":
            return self._parent(namespace, name, _TEMPLATE_HASH, "Deployment") or WorkloadKey(namespace, ours, name)
        if ours == "Job":
            return self._parent(namespace, name, _SCHEDULED, "CronJob") or WorkloadKey(namespace, ours, name)
        return WorkloadKey(namespace, ours, name)

    def _parent(self, namespace: str, name: str, pattern: re.Pattern[str], kind: str) -> WorkloadKey | None:
        """The owner that a generated name points to, unless an owner of the full name is known."""
        if self._known.get((namespace, name)):
            return None
        match = pattern.match(name)
        if match is None:
            return None
        kinds = self._known.get((namespace, match[1]), set())
        return WorkloadKey(namespace, kind if kind in kinds or not kinds else min(kinds), match[1])

    def _by_name(self, namespace: str, pod: str) -> WorkloadKey:
        suffixed = _POD_SUFFIX.match(pod)
        if suffixed is not None:
            return self._of_generated(namespace, suffixed[1])
        ordinal = _ORDINAL.match(pod)
        if ordinal is not None:
            kinds = self._known.get((namespace, ordinal[1]), set())
            return WorkloadKey(
                namespace, "StatefulSet" if not kinds or "StatefulSet" in kinds else min(kinds), ordinal[1]
            )
        return WorkloadKey(namespace, "Pod", pod)

    def _of_generated(self, namespace: str, base: str) -> WorkloadKey:
        """The workload of a pod called BASE-<5>; BASE itself may be generated."""
        kinds = self._known.get((namespace, base))
        if kinds:
            return WorkloadKey(namespace, min(kinds), base)
        for pattern, kind in ((_TEMPLATE_HASH, "Deployment"), (_SCHEDULED, "CronJob")):
            parent = self._parent(namespace, base, pattern, kind)
            if parent is not None:
                return parent
        indexed = _ORDINAL.match(base)
        if indexed is not None:
            return self._parent(namespace, indexed[1], _SCHEDULED, "CronJob") or WorkloadKey(
                namespace, "Job", indexed[1]
            )
        return WorkloadKey(namespace, "DaemonSet", base)
