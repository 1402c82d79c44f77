"""Directions: while pods are moved, their controllers' new pods are made with a preference for the planned nodes.

A MutatingAdmissionPolicy that the administrator installs (`manifests/components/direct`) takes its orders from one
ConfigMap of ours: names of nodes by the uid of a controller, and for a StatefulSet by that and the name of a pod.
Nothing is evicted before a pod that is only tried (`dryRun=All`), with that controller for its owner, comes back with
the preference. No direction may outlive the move:

| step                                    | a crash after it leaves                                             |
|-----------------------------------------|---------------------------------------------------------------------|
| the intent, which holds the directions  | nothing but the intent                                              |
| the directions                          | entries that an open intent names: whoever resumes takes them away  |
| evictions, replacements get a node      | the same                                                            |
| entries away                            | an open intent; there is nothing to take away any more              |
| the intent is closed                    | nothing                                                             |

It is a preference: a replacement that fits on none of the nodes runs elsewhere, and pods that the controller makes
meanwhile for other reasons prefer them too, unless the direction is for one name.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import msgspec

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.wire import ConfigMap, Meta, Wire, decode
from descheduler.apiwrite.writer import ClusterWriter, read_config_map
from descheduler.kube.client.answers import missing_right
from descheduler.model.directing import DIRECTIONS, NAME
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.scheduler.scoring import DIRECTED

DIRECTING = tuple(Right("", "configmaps", verb) for verb in ("get", "update"))
"""What directing needs on the ConfigMap `DIRECTIONS`."""
TRYING = (Right("", "pods", "create"),)
"""What proving needs, in the program's own namespace alone."""

Directions = Mapping[str, frozenset[str]]
"""Names of nodes by key (`model.directing.direction_of`)."""

PROBE = "00000000-0000-0000-0000-000000000000"
"""The uid that the manifests direct to `PROBE_NODE`: no controller has it, so that trying it changes nothing."""
PROBE_NODE = "descheduler-probe"
_BY = "directed landing"
_REMEDY = "API servers may have to be restarted when it was removed before (kubernetes/kubernetes#133827)"
_SEEN_WITHIN = 10.0  # seconds; API servers learn of a changed ConfigMap by a watch
_LOOK = 0.25  # seconds between two looks


class _Requirement(Wire, frozen=True):
    key: str = ""
    values: tuple[str, ...] = ()


class _Preference(Wire, frozen=True):
    match_fields: tuple[_Requirement, ...] | None = None


class _Term(Wire, frozen=True):
    weight: int = 0
    preference: _Preference = _Preference()


class _NodeAffinity(Wire, frozen=True):
    preferred_during_scheduling_ignored_during_execution: tuple[_Term, ...] | None = None


class _Affinity(Wire, frozen=True):
    node_affinity: _NodeAffinity | None = None


class _Spec(Wire, frozen=True):
    affinity: _Affinity | None = None


class _Tried(Wire, frozen=True):
    spec: _Spec = _Spec()


def directions_of(actions: Iterable[Action]) -> Directions:
    """What these actions need."""
    found: dict[str, frozenset[str]] = {}
    for action in actions:
        for move in action.pods:
            if move.towards:
                found[move.direction] = found.get(move.direction, frozenset()) | frozenset(move.towards)
    return found


class Directing:
    """The ConfigMap of directions, and the proof that they are followed.

    Its methods are called from several threads. They raise ClusterError's kinds; those that write, LeadershipLost.
    """

    def __init__(self, writer: ClusterWriter, namespace: str, clock: Clock) -> None:
        self._writer = writer
        self._namespace = namespace
        self._clock = clock
        self._lock = threading.Lock()

    def give(self, wanted: Directions) -> None:
        """Add directions, which an open intent must hold."""
        self._change(wanted, {})

    def take(self, closing: Directions, needed: Directions) -> None:
        """Take directions away, but for what is still `needed`."""
        self._change({}, {key: needed.get(key, frozenset()) for key in closing})

    def unproved(self, wanted: Directions) -> Blocked | None:
        """Why new pods would not be directed under one of the keys; None once they are."""
        began = self._clock.steady()
        for key, nodes in wanted.items():
            while not nodes <= _preferred(self._writer, self._namespace, key):
                if self._clock.steady() - began >= _SEEN_WITHIN:
                    text = f"a pod of controller {key} is made without the preference {_SEEN_WITHIN:g} s after it"
                    return Blocked(Reason.EXECUTOR, _BY, f"{text} was asked for; is {NAME} in force, as installed now?")
                self._clock.sleep(_LOOK)
        return None

    def _change(self, added: Directions, left: Directions) -> None:
        with self._lock:
            until_written(lambda: self._write(added, left))

    def _write(self, added: Directions, left: Directions) -> None:
        found = read_config_map(self._writer.transport, self._namespace, DIRECTIONS)
        before = {key: frozenset(text.split(",")) for key, text in ((found and found.data) or {}).items()}
        after = {**before, **left}
        after.update({key: after.get(key, frozenset()) | nodes for key, nodes in added.items()})
        after = {key: nodes for key, nodes in after.items() if nodes}
        if after != before:
            meta = found.metadata if found else Meta(name=DIRECTIONS, namespace=self._namespace)
            self._writer.save(ConfigMap(meta, {key: ",".join(sorted(nodes)) for key, nodes in after.items()}))


def unproved(writer: ClusterWriter, namespace: str) -> str:
    """Empty where the policy is in force, by the entry that the manifests direct to no node; else what is wrong.

    Raises LeadershipLost.
    """
    try:
        found = _preferred(writer, namespace, PROBE)
    except ClusterError as error:
        return f"{NAME} cannot be tried: {error}"
    if PROBE_NODE in found:
        return ""
    return f"{NAME} is installed, but a new pod is made without its preference; {_REMEDY}"


def _preferred(writer: ClusterWriter, namespace: str, key: str) -> frozenset[str]:
    """Nodes that a pod which the key means, made now, would prefer by the largest weight."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    tried = decode(writer.try_to_create(path, msgspec.json.encode(_trial(key))), _Tried)
    node_affinity = tried.spec.affinity.node_affinity if tried.spec.affinity else None
    terms = (node_affinity and node_affinity.preferred_during_scheduling_ignored_during_execution) or ()
    fields = [field for term in terms if term.weight == DIRECTED for field in term.preference.match_fields or ()]
    return frozenset(name for field in fields if field.key == "metadata.name" for name in field.values)


def refusal(error: ClusterError) -> Blocked:
    """Why a unit is not moved whose directions could not be given: where it lands was foreseen with them."""
    text = f"ConfigMap {DIRECTIONS}: {error}"
    return missing_right(error, text) or Blocked(Reason.API_REFUSED, _BY, text)


def _trial(key: str) -> dict[str, object]:
    """A pod that any namespace lets in, of a controller that nobody asks whether it exists.

    It has no name, lest it meet a pod that has: the policy takes what its name begins with for the name.
    """
    uid, _, name = key.partition(".")
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "descheduler-probe", "uid": uid, "controller": True}
    hardened = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    little = {"cpu": "1m", "memory": "1Mi"}
    container = {
        "name": "probe",
        "image": "registry.k8s.io/pause",
        "resources": {"requests": little, "limits": little},
        "securityContext": hardened,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": name or "descheduler-probe-", "ownerReferences": [owner]},
        "spec": {"automountServiceAccountToken": False, "containers": [container]},
    }
