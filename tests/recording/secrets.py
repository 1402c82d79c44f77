"""Objects with a secret of its own in every place that a schema reads, and in many that none does."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import inspect

from descheduler.kube.convert.custom_fields import KEPT_FIELDS
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.convert.slimming import RAW_TYPES
from descheduler.kube.convert.wire import CustomWire
from descheduler.kube.recording.field_rules import AMOUNT_MAPS

Json = Any

FORMS: tuple[Callable[[int], str], ...] = (
    lambda i: f"hunter{i}pass",
    lambda i: f"Falcon{i}Project",
    lambda i: f"redis-password-{i}zq",
    lambda i: f"10.{i % 250 + 3}.{(i * 7) % 250 + 2}.{(i * 13) % 250 + 1}",
    lambda i: f"eyJhbGciOiJIUzI1{i}.eyJzdWIiOiIx{i}.sflKxwRJSMeKKF2{i}",
    lambda i: f"postgres://svc{i}u:s3cr3t{i}@db{i}q.corp.example:5432/pay{i}roll",
    lambda i: f"jane.doe{i}@corp{i}.example",
    lambda i: f"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI{i}Kq\n-----END EC PRIVATE KEY-----",
    lambda i: base64.b64encode(f"secret number {i}".encode()).decode(),
    lambda i: f"Größe{i}密码пароль",
    lambda i: f"4929-{41_000_000 + i}-{73_000_000 + i}",  # longer than the sizes of parts, which a manifest tells
    lambda i: f"AKIAIOSFODNN{i:05d}",
    lambda i: f"ghp_16C7e42F292c6912E{i}",
    lambda i: f"/home/alice{i}/.ssh/id_ed25519",
    lambda i: f'{{"api-key-{i}x":"tok{i}en"}}',
    lambda i: f"fe80::{i:04x}:beef:{i:04x}",
    lambda i: f"acme{i}.internal/team{i}",
    lambda i: f"registry.acme{i}.io:5000/ml/model{i}@sha256:{i:064x}",
    lambda i: f"{84213000 + i}",
    lambda i: f"hvs.CAESI{i}Jkl_mno",
)


class Planter:
    """Hands out secrets, and finds them again."""

    def __init__(self) -> None:
        self.planted: list[str] = []
        self.where: dict[str, str] = {}

    def secret(self, where: str) -> str:
        """A new one, for a place."""
        made = FORMS[len(self.planted) % len(FORMS)](len(self.planted) + 1000)
        self.planted.append(made)
        self.where[made] = where
        return made

    def found_in(self, text: str) -> list[str]:
        """The places whose secret is in a text, whole or by a piece that tells."""
        words = set(_pieces(text.replace("\\n", " ")))
        found = (one for one in self.planted if not words.isdisjoint(telling(one)))
        return [f"{self.where[one]}: {one}" for one in found if not (one.isdigit() and _is_amount(self.where[one]))]


def _is_amount(place: str) -> bool:
    """Of a resource: a number is one there, and is kept."""
    return place.rpartition(".")[2] in {*AMOUNT_MAPS, "memory"}


def telling(secret: str) -> list[str]:
    """Its pieces that hold its number: what makes it this one."""
    return [one for one in _pieces(secret) if len(one) >= 5 and any(c.isdigit() for c in one) and one not in _USUAL]


_USUAL = ("25519", "ed25519", "sha256", "JIUzI1")


def _pieces(text: str) -> list[str]:
    return re.split(r"[\W_]+", text)


def every_object(kind: str, planter: Planter) -> list[Json]:
    """Objects of a kind, which together have a secret in every text, and at every key of every map."""
    wire = KINDS[kind].wire
    found = _planted(inspect.type_info(wire), "", kind, planter)
    found["metadata"]["annotations"][planter.secret(f"{kind} annotation key")] = planter.secret(f"{kind} annotation")
    found["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = planter.secret(
        "last-applied"
    )
    found["metadata"]["finalizers"] = [planter.secret("finalizer")]
    found["metadata"]["managedFields"] = [{"manager": planter.secret("manager")}]
    if issubclass(wire, CustomWire):
        return [{**found, "spec": spec, "status": spec} for spec in _specs(kind, planter)]
    return [found]


def _planted(found: inspect.Type, name: str, where: str, planter: Planter) -> Json:
    at = f"{where}.{name}" if name else where
    match found:
        case inspect.Metadata(type=inner):
            return _planted(inner, name, where, planter)
        case inspect.RawType():
            return _planted(inspect.type_info(RAW_TYPES[name]), name, where, planter)
        case inspect.StructType(fields=fields):
            out = {one.encode_name: _planted(one.type, one.encode_name, at, planter) for one in fields}
            return {**out, planter.secret(f"{at} unread key"): planter.secret(f"{at} unread value")}
        case inspect.VarTupleType(item_type=item):
            return [_planted(item, name, where, planter)]
        case inspect.DictType(value_type=value):
            return {planter.secret(f"{at} key"): _planted(value, name, where, planter)}
        case inspect.UnionType(types=types):
            texts = [one for one in types if isinstance(one, inspect.StrType)]
            return _planted(
                (texts or [one for one in types if not isinstance(one, inspect.NoneType)])[0], name, where, planter
            )
        case inspect.StrType():
            return planter.secret(at)
        case inspect.DateTimeType():
            return "2026-01-01T00:00:00Z"
        case inspect.BoolType():
            return False
        case inspect.IntType() | inspect.FloatType():
            return 1
        case _:
            return {planter.secret(f"{at} key"): planter.secret(at)}


def _specs(kind: str, planter: Planter) -> Iterator[Json]:
    """Every field that is kept, as a text, a list, an object, and an object in a list in an object."""

    def secret(field: str) -> str:
        return planter.secret(f"{kind}.{field}")

    fields = sorted(KEPT_FIELDS)
    yield runs(planter)
    yield {field: secret(field) for field in fields}
    if kind != "ray.io/RayCluster":  # one is enough for what is the same code for all
        return
    yield {field: [secret(field), {"name": secret(field), secret(field): secret(field)}] for field in fields}
    yield {field: {secret(field): secret(field), "name": secret(field)} for field in fields}
    yield {"template": {"spec": {field: [{"spec": {field: secret(field)}}] for field in fields}}}


def runs(planter: Planter) -> Json:
    """What jobs of all kinds run with."""
    container = {
        "name": "main",
        "image": "app:1",
        "env": [{"name": planter.secret("env name"), "value": planter.secret("env value")}],
        "envFrom": [{"secretRef": {"name": planter.secret("envFrom")}}],
        "args": [planter.secret("args")],
        "command": [planter.secret("command")],
        "workingDir": planter.secret("workingDir"),
        "lifecycle": {"postStart": {"exec": {"command": [planter.secret("lifecycle")]}}},
        "livenessProbe": {"exec": {"command": [planter.secret("probe")]}},
        "readinessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": planter.secret("header")}]}},
        "volumeMounts": [{"name": planter.secret("mount"), "mountPath": planter.secret("mountPath")}],
        "securityContext": {"seLinuxOptions": {"user": planter.secret("seLinux")}},
    }
    pod = {
        "containers": [container],
        "initContainers": [container],
        "ephemeralContainers": [container],
        "hostname": planter.secret("hostname"),
        "hostAliases": [{"ip": planter.secret("hostAlias"), "hostnames": [planter.secret("hostAlias name")]}],
        "imagePullSecrets": [{"name": planter.secret("imagePullSecret")}],
        "dnsConfig": {"nameservers": [planter.secret("dns")]},
    }
    return {
        **pod,
        "template": {"spec": pod},
        "entrypoint": planter.secret("entrypoint"),
        "runtimeEnvYAML": planter.secret("runtimeEnvYAML"),
        "rayClusterSpec": {
            "headGroupSpec": {
                "rayStartParams": {"redis-password": planter.secret("redis-password")},
                "template": {"spec": pod},
            }
        },
        "pytorchReplicaSpecs": {"Master": {"replicas": 1, "template": {"spec": pod}}},
        "trainer": {"env": container["env"], "args": container["args"]},
        "sparkConf": {"spark.hadoop.fs.s3a.secret.key": planter.secret("sparkConf")},
        "podSets": [{"count": 1, "template": {"spec": pod}}],
        "tasks": [{"replicas": 1, "template": {"spec": pod}}],
        "config": [{"opaque": {"parameters": {"key": planter.secret("opaque")}}}],
    }
