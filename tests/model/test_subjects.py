"""What findings are about, and how a plan document writes it."""

from __future__ import annotations

import pytest

from descheduler.model.subjects import Subject, SubjectKind


@pytest.mark.parametrize(
    ("subject", "written"),
    [
        (Subject(SubjectKind.NODE, "n1"), "node/n1"),
        (Subject(SubjectKind.WORKLOAD, "shop/Deployment/cart"), "workload/shop/Deployment/cart"),
        (Subject("rack", "r7"), "rack/r7"),
    ],
)
def test_it_is_read_as_it_was_written(subject: Subject, written: str) -> None:
    assert str(subject) == written
    assert Subject.read(written) == subject
