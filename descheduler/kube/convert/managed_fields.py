"""Who set the replicas of an object (metadata.managedFields), as far as they would set them back."""

from __future__ import annotations

import msgspec
from msgspec import field

from descheduler.kube.convert.pieces import read
from descheduler.kube.convert.wire import Present, Slim
from descheduler.model.enforcers import ENFORCERS


class SpecFieldsWire(Slim, frozen=True, gc=False):
    replicas: Present | None = field(default=None, name="f:replicas")


class FieldsWire(Slim, frozen=True, gc=False):
    """metav1 FieldsV1, of which the replicas are looked at alone."""

    spec: SpecFieldsWire | None = field(default=None, name="f:spec")


class ManagedWire(Slim, frozen=True, gc=False):
    """metav1 ManagedFieldsEntry."""

    manager: str = ""
    fields_v1: FieldsWire | None = field(default=None, name="fieldsV1")


def enforcers_of_replicas(managed: msgspec.Raw) -> tuple[str, ...]:
    """Names of those who own `spec.replicas` and would set it back, each once; what makes no sense names nobody."""
    data = bytes(managed)
    if b"f:replicas" not in data:
        return ()
    found = read(data, tuple[ManagedWire, ...]) or ()
    owning = (one for one in found if one.fields_v1 and one.fields_v1.spec and one.fields_v1.spec.replicas is not None)
    return tuple(dict.fromkeys(one.manager for one in owning if one.manager in ENFORCERS))
