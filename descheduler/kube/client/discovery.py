"""What a cluster is and serves: its release, and its optional kinds in those versions that we can read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from descheduler.kube.client.connection import KubeClient
from descheduler.kube.convert.kinds import OPTIONAL, Endpoint, Kind
from descheduler.kube.convert.wire import Slim
from descheduler.model.errors import BadAnswer, ClusterError, NotFound, Unreachable
from descheduler.model.release import Release

S = TypeVar("S", bound=Slim)

_AGGREGATED = ";".join(("application/json", "g=apidiscovery.k8s.io", "v={}", "as=APIGroupDiscoveryList"))
_ACCEPT = ",".join((_AGGREGATED.format("v2"), _AGGREGATED.format("v2beta1"), "application/json"))


class _ResponseKind(Slim, frozen=True, gc=False):
    kind: str = ""


class _Resource(Slim, frozen=True, gc=False):
    """Of aggregated discovery (`resource`, `responseKind`) or of an APIResourceList (`name`, `kind`)."""

    resource: str = ""
    response_kind: _ResponseKind | None = None
    name: str = ""
    kind: str = ""
    verbs: tuple[str, ...] | None = None


class _Version(Slim, frozen=True, gc=False):
    version: str = ""
    resources: tuple[_Resource, ...] | None = None


class _Name(Slim, frozen=True, gc=False):
    name: str = ""


class _Group(Slim, frozen=True, gc=False):
    metadata: _Name = _Name()
    name: str = ""
    versions: tuple[_Version, ...] | None = None


class _Groups(Slim, frozen=True, gc=False):
    """An APIGroupDiscoveryList (`items`) or an APIGroupList (`groups`)."""

    kind: str = ""
    items: tuple[_Group, ...] | None = None
    groups: tuple[_Group, ...] | None = None


class _Resources(Slim, frozen=True, gc=False):
    resources: tuple[_Resource, ...] | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    """`served`: what can be read. `unknown`: kinds served only in versions that we cannot read, with the reason."""

    served: tuple[Endpoint, ...] = ()
    unknown: tuple[tuple[Kind, str], ...] = ()


def discover(
    client: KubeClient, kinds: Iterable[Kind] = OPTIONAL, verbs: Collection[str] = ("list", "watch")
) -> Discovered:
    """Ask the API server which of the kinds it serves with the verbs; one that it does not serve is no error.

    Uses aggregated discovery (one request), else a request for each group that matters.

    Raises: ClusterError and its kinds.
    """
    kinds = tuple(kinds)
    groups = _decode(client.get("/apis", accept=_ACCEPT), _Groups, "/apis")
    wanted = {kind.group for kind in kinds}
    if groups.items is not None:
        found = {(g.metadata.name, v.version): v.resources or () for g in groups.items for v in g.versions or ()}
        found = {at: resources for at, resources in found.items() if at[0] in wanted}
    else:
        found = dict(_one_by_one(client, [g for g in groups.groups or () if g.name in wanted]))
    return _choose(kinds, found, frozenset(verbs))


def read_release(client: KubeClient) -> Release | None:
    """Which release the API server is of; None where it does not say, which is no error. Raises Unreachable."""
    try:
        return Release.parse(client.version().name)
    except Unreachable:
        raise
    except ClusterError:
        return None


_Served = tuple[tuple[str, str], tuple[_Resource, ...]]


def _one_by_one(client: KubeClient, groups: Iterable[_Group]) -> Iterator[_Served]:
    for group in groups:
        for version in group.versions or ():
            path = f"/apis/{group.name}/{version.version}"
            try:
                answer = _decode(client.get(path), _Resources, path)
            except NotFound:
                continue  # it disappeared between the two requests
            except ClusterError as e:
                if e.status == 503:  # its aggregated server is down: we cannot know what it serves
                    raise Unreachable(f"discovery of {group.name}: {e}") from e
                raise
            yield (group.name, version.version), answer.resources or ()


def _choose(
    kinds: Iterable[Kind], found: dict[tuple[str, str], tuple[_Resource, ...]], verbs: frozenset[str]
) -> Discovered:
    served: list[Endpoint] = []
    unknown: list[tuple[Kind, str]] = []
    for kind in kinds:
        versions = {
            version: resource
            for (group, version), resources in found.items()
            if group == kind.group and (resource := _named(kind, resources, verbs)) is not None
        }
        best = next((v for v in kind.versions if v in versions), "")
        if best:
            served.append(kind.at(best, versions[best].resource or versions[best].name))
        elif versions:
            unknown.append((kind, f"served only in versions that are not known here: {', '.join(sorted(versions))}"))
    return Discovered(tuple(served), tuple(unknown))


def _named(kind: Kind, resources: tuple[_Resource, ...], verbs: frozenset[str]) -> _Resource | None:
    for resource in resources:
        name = resource.response_kind.kind if resource.response_kind else resource.kind
        readable = verbs <= set(resource.verbs or ())
        if name == kind.name and readable and "/" not in (resource.resource or resource.name):
            return resource
    return None


def _decode(body: bytes, wanted: type[S], path: str) -> S:
    try:
        return msgspec.json.decode(body, type=wanted)
    except msgspec.MsgspecError as e:
        raise BadAnswer(f"{path}: the answer is not API discovery: {e}") from e
