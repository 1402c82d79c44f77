"""A name in a policy that nobody has is told, and one that somebody may have is let be."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from descheduler.contract.naming import Names
from descheduler.contract.registry import STRATEGIES
from descheduler.model.errors import PolicyError
from descheduler.policy import Policy, load_policy, written_policy

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
BETWEEN = "{matchExpressions: [{key: n, operator: Gt, values: ['%s']}, {key: n, operator: Lt, values: ['%s']}]}"
UTILIZATION = "LowNodeUtilization: {{thresholds: {{{0}: 20}}, targetThresholds: {{{0}: 50}}}}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("strategies: [{HotNodes: {thresholds: {cpuu: 0.7}}}]", "no load is known of cpuu (did you mean cpu?)"),
        ("strategies: [{HotNodes: {pools: {default: {memroy: 0.7}}}}]", "(did you mean memory?)"),
        ("strategies: [{HotNodes: {thresholds: {nvidia.com/gpu: 0.7}}}]", "there are cpu, memory"),
        ("proof: {maxLoad: {memroy: 80%}}", "proof.maxLoad.memroy: no load is known of memroy (did you mean memory?)"),
        (f"strategies: [{{{UTILIZATION.format('cpuu')}}}]", "no resource is named cpuu (did you mean cpu?)"),
        (f"strategies: [{{{UTILIZATION.format('gpus')}}}]", "no resource is named gpus"),
        ("strategies: [{GpuDefragmentation: {resource: gpu}}]", "no resource is named gpu;"),
        ("freshness: {kinds: {poddisruptionbudget: 3m}}", "(did you mean poddisruptionbudgets?)"),
        ("history: {queries: {memroy: up}}", "no built-in signal is named memroy (did you mean memory?)"),
        ("history: {queries: {latency: up}}", "goes under history.signals"),
        (
            "history: {queries: {cpu: 'rate(x[$windw])'}}",
            "nothing is put in the place of $windw (did you mean $window?)",
        ),
        (
            "history: {signals: {lat: {query: 'rate(x[$__rate_interval])'}}}",
            "in the place of $__rate_interval; there are",
        ),
    ],
)
def test_a_name_that_nobody_has_is_refused(text: str, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(HEAD + text)
    for problem in caught.value.problems:
        assert told in problem
        assert problem.startswith("policy:3:")


@pytest.mark.parametrize(
    "text",
    [
        f"strategies: [{{{UTILIZATION.format('nvidia.com/gpu')}}}]",
        f"strategies: [{{{UTILIZATION.format('ephemeral-storage')}}}]",
        f"strategies: [{{{UTILIZATION.format('hugepages-2Mi')}}}]",
        "freshness: {kinds: {poddisruptionbudgets: 3m, ray.io/RayCluster: 3m}}",
        'history: {queries: {cpu: \'label_replace(rate(x[$window]), "pod", "$1", "p", "(.*)$") # $else\'}}',
        "history: {signals: {latency: {query: 'sum(lat{a=\"b\"$match})'}}}",
        "cost: {lostWork: {SparkApplication: 1h, Job: 2m}}",
        "protections: {recreatingOwners: [example.com/Database]}",
        "schedulers: {my-scheduler: MostAllocated}",
    ],
)
def test_what_somebody_may_have_is_let_be(text: str) -> None:
    assert written_policy(HEAD + text).warnings == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cost: {lostWork: {PyTorchJbo: 1h}}", "cost.lostWork.PyTorchJbo: is PyTorchJob meant?"),
        ("protections: {recreatingOwners: [argoproj.io/Rolout]}", "is Rollout meant?"),
        ("strategies: [{RemoveFailedPods: {excludeOwnerKinds: [Jobs]}}]", "is Job meant?"),
        ("strategies: [{GpuTopology: {expected: {JobSets: 1h}}}]", "is JobSet meant?"),
        ("limits: {perCycle: 0}", "nothing is ever moved"),
        ("limits: {perCycle: 50, perHour: 10}", "more than perHour 10"),
        ("proof: {maxLoad: {cpu: 0}}", "no node may take a pod"),
        ("pools: [{name: a, nodeSelector: {x: y}}, {name: b, nodeSelector: {x: y, z: w}}]", "that match belong to a"),
        ("history: {step: 30m, maxStaleness: 10m}", "no history is ever fresh"),
        ("freshness: {maxAge: 10s}", "every minute or two"),
        ("protections: {namespaces: {include: [shop], exclude: ['sh*']}}", "shop is excluded too"),
        (
            "protections: {labelSelector: {matchLabels: {a: b}, matchExpressions: [{key: a, operator: DoesNotExist}]}}",
            "nothing can match",
        ),
        (f"nodeSelector: {BETWEEN % (5, 6)}",
         "nothing can match"),
        ("strategies: [{HotNodes: {minDuration: 2h}}]", "no forecast reaches it"),
        ("strategies: [{IdleGpu: {window: 5d}}]\nhistory: {window: 2d}", "longer than history.window 2d"),
        ("protections: {namespaces: {exclude: [shop]}}\nstrategies: [{PodLifeTime: {maxPodLifeTimeSeconds: 9, "
         "namespaces: {include: [shop]}}}]", "shop is excluded by the protections"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_a_warning_with_its_place(text: str, told: str) -> None:
    (warning,) = written_policy(HEAD + text).warnings
    assert told in warning
    assert warning.startswith("policy:3:") or "\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "pools: [{name: a, nodeSelector: {x: y, z: w}}, {name: b, nodeSelector: {x: y}}]",
        "limits: {perCycle: 10, perHour: 50}",
        f"nodeSelector: {BETWEEN % (5, 7)}",
        "protections: {labelSelector: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}",
        "protections: {namespaces: {include: [shop], exclude: [web]}}",
        "freshness: {maxAge: 3m}",
    ],
)
def test_what_can_come_to_pass_is_no_contradiction(text: str) -> None:
    assert written_policy(HEAD + text).warnings == ()


def test_a_destination_that_could_never_be_cool_enough_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"headroom 0\.8 leaves nothing of thresholds\.cpu 0\.75"):
        load_policy(HEAD + "strategies: [{HotNodes: {headroom: 80%}}]")
    with pytest.raises(PolicyError, match=r"clearance 0\.02 leaves nothing of pools\.default\.cpu 0\.02"):
        load_policy(HEAD + "strategies: [{HotNodes: {clearance: 2%, pools: {default: {cpu: 2%}}}}]")


def test_a_threshold_that_was_lowered_below_the_default_headroom_is_a_warning() -> None:
    (warning,) = written_policy(HEAD + "strategies: [{HotNodes: {pools: {default: {cpu: 4%}}}}]").warnings
    assert warning.startswith("policy:3:")
    assert "strategies[0].HotNodes.pools.default.cpu: headroom 0.05 leaves nothing of 0.04" in warning
    assert written_policy(HEAD + "strategies: [{HotNodes: {pools: {default: {cpu: 6%}}}}]").warnings == ()


def test_every_text_in_a_list_or_mapping_says_what_it_is_the_name_of() -> None:
    models = [Policy, *(STRATEGIES.load(name).Args for name in STRATEGIES.available())]
    assert sorted({text for model in models for text in nameless(model, set())}) == [
        "ActingPolicy.executor",  # looked up among the installed ones
        "ActingPolicy.executors",
        "ExecutorRule.executor",
        "HistoryPolicy.gpu_series",  # series of a server
        "HistoryPolicy.headers",
        "PublishPolicy.signals",  # those of the policy's own among them
        "PublishPolicy.workloads",
    ]


def nameless(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    """Fields with texts in a list or a mapping whose type does not say what they name."""
    if model in seen:
        return set()
    seen.add(model)
    out: set[str] = set()
    for name, field in model.model_fields.items():
        if _nameless(field.annotation, inside=False):
            out.add(f"{model.__name__}.{name}")
        for inner in _models(field.annotation):
            out |= nameless(inner, seen)
    return out


def _nameless(annotation: Any, *, inside: bool) -> bool:
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin is Annotated:
        marked = any(isinstance(one, Names) for one in arguments[1:])
        return not marked and _nameless(arguments[0], inside=inside)
    if annotation is str:
        return inside
    return any(_nameless(one, inside=inside or origin in (dict, list, tuple)) for one in arguments)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for one in get_args(annotation) for model in _models(one)]
