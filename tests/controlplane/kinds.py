"""What an API server serves: kinds and their paths, read from its aggregated discovery documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind in one version of its group."""

    name: str
    api_version: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    has_status: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """URL path of its collection (of all namespaces when ``namespace`` is None) or of one object."""
        root = "/api" if "/" not in self.api_version else "/apis"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace is not None else ""
        return f"{root}/{self.api_version}{scope}/{self.plural}" + (f"/{name}" if name else "")

    @property
    def group(self) -> str:
        """API group; empty for the core."""
        return self.api_version.rpartition("/")[0]


class Kinds:
    """Every kind of a server, in the order in which it prefers their versions."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._all = tuple(kinds)

    def find(self, name: str, api_version: str | None = None) -> Kind:
        """A kind by name: of that version, or of the preferred one if one group only, or one without a dot, has it.

        Raises:
            KeyError: there is none, or several groups have it and none is built in (``PodGroup``).
        """
        found = [k for k in self._all if k.name == name and api_version in (None, k.api_version)]
        if len({k.group for k in found}) > 1:
            found = [k for k in found if "." not in k.group]
        if not found:
            raise KeyError(f"{name} ({api_version or 'several groups or none: give api_version'})")
        return found[0]

    def preferred(self) -> Iterator[Kind]:
        """Each kind once, in the version that the server prefers."""
        seen: set[tuple[str, str]] = set()
        for kind in self._all:
            if (kind.group, kind.plural) not in seen:
                seen.add((kind.group, kind.plural))
                yield kind


def parse_discovery(documents: Iterable[Mapping[str, Any]]) -> Iterator[Kind]:
    """Read aggregated discovery documents (apidiscovery.k8s.io/v2 APIGroupDiscoveryList)."""
    for document in documents:
        for group in document["items"]:
            group_name = group["metadata"].get("name", "")
            for version in group.get("versions", ()):
                api_version = f"{group_name}/{version['version']}" if group_name else version["version"]
                for resource in version.get("resources", ()):
                    yield Kind(
                        name=resource["responseKind"]["kind"],
                        api_version=api_version,
                        plural=resource["resource"],
                        namespaced=resource["scope"] == "Namespaced",
                        verbs=frozenset(resource["verbs"]),
                        has_status=any(s["subresource"] == "status" for s in resource.get("subresources", ())),
                    )
