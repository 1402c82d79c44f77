"""What a plan tells of a replacement that will not be what the pod is."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.model.format import quantity
from descheduler.model.pods import PodSpec
from descheduler.model.remaking import Replacement
from descheduler.model.remaking.revisions import Revision
from descheduler.model.snapshot import ClusterSnapshot


def asked(spec: PodSpec) -> Mapping[str, str]:
    """What a pod asks for, for people."""
    return {name: quantity(name, value) for name, value in spec.requests if name != "pods"}


def remade(snapshot: ClusterSnapshot, pod: int) -> tuple[Mapping[str, str], str]:
    """What the replacement asks for, and a sentence of why; nothing where it will be as the pod is."""
    found = snapshot.remade.different.get(pod)
    if found is None:
        return {}, ""
    before, after = asked(snapshot.pods[pod].spec), asked(found.spec)
    changed = [
        f"{name} {after.get(name, '0')} instead of {before.get(name, '0')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    return (after if changed else {}), f"made from {_source(found)}: {', '.join(changed) or 'other labels or rules'}"


def _source(found: Replacement) -> str:
    another = " of another revision" if found.revision is Revision.OTHER else ""
    return f"the template of {found.owner}{another}"
