"""What the doctor says of who measures."""

from __future__ import annotations

from descheduler.doctor.checks import Check, Verdict
from descheduler.doctor.signals import measurers
from descheduler_profiling.history.sources import Pin, Sources

KUBELET = Pin('job="kubelet"', sure=True, jobs="kubelet", left_out=(('job="web"', 4),))
UNKNOWN = Pin('job="dcgm"', "telemetry", jobs="dcgm", left_out=())


def said(**pins: Pin) -> list[Check]:
    return list(measurers(Sources(pins), {}))


def test_who_counts_is_told_with_who_does_not() -> None:
    (check,) = said(containers=KUBELET)
    assert (check.verdict, check.subject) == (Verdict.OK, "who measures containers")
    assert check.text == 'only job="kubelet" (found by its names)'
    assert check.details == ('left out: 4 by job="web"',)


def test_whom_a_tenant_could_be_is_told_with_what_mends_it() -> None:
    named, anybody = said(gpus=UNKNOWN, owners=Pin(left_out=(('job="ksm"', 9),)))
    assert named.verdict is anybody.verdict is Verdict.WARNING
    assert named.text.startswith('job="dcgm", which a tenant')
    assert anybody.text.startswith("anybody, which a tenant")
    assert "history.sources.gpus" in named.mend
    assert anybody.details == ('9 by job="ksm"',)


def test_nothing_is_said_of_what_nobody_has() -> None:
    assert said(koordlet=Pin()) == []
