"""The rights of an overlay, one by one."""

from __future__ import annotations

from collections.abc import Iterator

from manifests.kustomize import of_kind


def rules(overlay: str) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """(api group, resource, verb, resource names) of every rule of every role."""
    for role in (*of_kind(overlay, "ClusterRole"), *of_kind(overlay, "Role")):
        for rule in role["rules"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    for verb in rule["verbs"]:
                        yield group, resource, verb, tuple(rule.get("resourceNames", ()))
