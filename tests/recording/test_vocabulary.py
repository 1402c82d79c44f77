"""The lists of what stays in a recording without names hold what the program reads, and are lists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import descheduler
import descheduler_strategies
from descheduler.kube.convert.annotations import KEPT_PREFIXES
from descheduler.kube.convert.custom_fields import KEPT_FIELDS
from descheduler.kube.convert.kinds import KINDS
from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.field_rules import VALUES_OF, Holds
from descheduler.kube.recording.public_names import KEYS
from descheduler.planning.filters.makers import AGAIN, ONCE

READERS = ("gangs", "kube/convert", "kube/devices", "model", "planning", "scheduler", "topology")
KEY = re.compile(r"[a-z0-9.-]+\.[a-z]{2,}/[A-Za-z0-9._-]*[A-Za-z0-9]")


def read_by_the_program() -> Iterator[tuple[str, str]]:
    """Texts in the code that look like keys of labels or annotations, or names of resources."""
    root = Path(descheduler.__file__).parent
    files = [file for room in READERS for file in (root / room).rglob("*.py")]
    files += Path(next(iter(descheduler_strategies.__path__))).rglob("*.py")
    for file in files:
        tree = ast.parse(file.read_text())
        told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and id(node) not in told else None
            if isinstance(text, str) and KEY.fullmatch(text):
                yield file.name, text


def test_every_key_that_the_program_reads_stays() -> None:
    """A key that is newly read is to be named in `public_names`; one that is none of a label, here."""
    made = Anonymizer(b"key")
    prefixes = {prefix.rstrip("/-.") for prefix in KEPT_PREFIXES}
    lost = [
        f"{file}: {text}"
        for file, text in read_by_the_program()
        if text not in {*KINDS, *KEPT_FIELDS, *prefixes} and made.resource(text) != text and made.text(text) != text
        if made.key(text) != text and not any(key.startswith(text) for key in KEYS)
    ]
    assert lost == []


def test_kinds_of_owners_that_decide_something_stay() -> None:
    made = Anonymizer(b"key")
    for group, kinds in {**AGAIN, **ONCE}.items():
        assert made.group(group) == group
        assert [made.of(Holds.KIND, kind) for kind in kinds] == list(kinds)


def test_keys_whose_values_are_read_are_keys_that_stay() -> None:
    assert set(VALUES_OF) <= KEYS


@pytest.mark.parametrize(
    ("key", "stays", "goes"),
    [
        (
            "nvidia.com/gpu.product",
            ("NVIDIA-A100-SXM4-80GB", "Tesla-T4-SHARED", "H100"),
            ("falcon-card", "A100-falcon"),
        ),
        ("nvidia.com/gpu.memory", ("81920",), ("hunter2", "81920-falcon", "1.2.3.4")),
        ("karpenter.sh/do-not-disrupt", ("true", "2h30m"), ("falcon", "2 falcons")),
        ("descheduler.alpha.kubernetes.io/evict", ("true", "false"), ("84213", "Falcon")),
        ("node.kubernetes.io/instance-type", ("virtual-node",), ("p4d.24xlarge", "falcon")),
        ("topology.kubernetes.io/zone", (), ("eu-west-1a", "rack17")),
        ("acme.example/mode", ("true",), ("production", "84213", "Running", "A100")),
        ("role", ("alluxio-worker",), ("redis-password", "Boss")),
    ],
)
def test_a_value_stays_only_where_it_is_one_of_the_key(key: str, stays: tuple[str, ...], goes: tuple[str, ...]) -> None:
    made = Anonymizer(b"key")

    def after(text: str) -> object:
        found = made.value({"labels": {key: text}})
        assert isinstance(found, dict)
        inner = found["labels"]
        assert isinstance(inner, dict)
        return next(iter(inner.values()))

    assert [after(text) for text in stays] == list(stays)
    for text in goes:
        assert not set(re.findall(r"\w+", text)) - {"A100"} & set(re.findall(r"\w+", str(after(text)))), text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cpu", "cpu"),
        ("requests.nvidia.com/gpu", "requests.nvidia.com/gpu"),
        ("nvidia.com/mig-1g.10gb", "nvidia.com/mig-1g.10gb"),
        ("hugepages-2Mi", "hugepages-2Mi"),
        ("count/deployments.apps", "count/deployments.apps"),
        ("kubernetes.io/batch-cpu", "kubernetes.io/batch-cpu"),
        ("acme.example/gpu", "*/gpu"),
        ("acme.example/falcon", "*/*"),
        ("nvidia.com/falcon", "nvidia.com/*"),
        ("falcon.kubernetes.io/bluebird", "*.kubernetes.io/*"),
        ("falcon", "*"),
        ("count/falcons.acme.example", "count/*"),
    ],
)
def test_resources_that_are_public_stay(name: str, kept: str) -> None:
    made = Anonymizer(b"key").resource(name)
    assert re.sub(r"x[a-z2-7]{16}(\.x[a-z2-7]{16})*", "*", made) == kept
