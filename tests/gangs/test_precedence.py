"""Several dialects on one pod, gangs that overlap or are bundled, and names in several namespaces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import pod
from descheduler.gangs import resolve
from descheduler.model.pods import Phase
from descheduler.model.reasons import Reason
from descheduler.model.units import Consequence, DisruptionMode
from gang_builders import GROUP_LABEL, core_group, custom, group, members, only_unit, snap

KOORD = "gang.scheduling.koordinator.sh"
LWS = {"leaderworkerset.sigs.k8s.io/name": "l", "leaderworkerset.sigs.k8s.io/group-index": "0"}
LWS_OBJECT = custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "l", {"leaderWorkerTemplate": {"size": 3}})


def test_the_core_group_says_minimum_and_mode_of_a_gang_that_two_dialects_describe() -> None:
    pods = members(3, pod_group="g", labels={GROUP_LABEL: "h"})
    unit = only_unit(pods, [core_group("g", 2, "Pod"), group("h", 3)])
    assert (unit.name, unit.dialects) == ("kubernetes:default/g", ("kubernetes", "scheduler-plugins"))
    assert (unit.min_available, unit.mode, unit.slack) == (2, DisruptionMode.PER_POD, 1)


def test_the_worst_consequence_counts() -> None:
    """The group may lose single pods, but the LeaderWorkerSet restarts all when one goes: so all move."""
    unit = only_unit(members(3, pod_group="g", labels=LWS), [core_group("g", 2, "Pod"), LWS_OBJECT])
    assert (unit.consequence, unit.mode) == (Consequence.GROUP_RESTARTS, DisruptionMode.WHOLE)


def test_a_gang_that_one_dialect_cannot_resolve_does_not_move() -> None:
    unit = only_unit(members(3, pod_group="g", labels=LWS), [core_group("g", 3)])
    assert unit.blocked is not None
    assert (unit.blocked.reason, unit.blocked.by) == (
        Reason.GANG_UNKNOWN,
        "LeaderWorkerSet.leaderworkerset.x-k8s.io/default/l",
    )


def test_overlapping_gangs_become_one_that_moves_whole() -> None:
    pods = [
        pod("a", node="n1", pod_group="g"),
        pod("b", node="n1", pod_group="g", labels={GROUP_LABEL: "h"}),
        pod("c", node="n1", labels={GROUP_LABEL: "h"}),
    ]
    unit = only_unit(pods, [core_group("g", 2, "Pod"), group("h", 1)])
    assert (unit.members, unit.mode) == ((0, 1, 2), DisruptionMode.WHOLE)


def test_one_name_in_two_namespaces_is_two_gangs() -> None:
    pods = [pod(f"{ns}-{i}", node="n1", namespace=ns, labels={GROUP_LABEL: "g"}) for ns in "ab" for i in range(2)]
    units = resolve(snap(pods, [group("g", 2, "a"), group("g", 2, "b")]))
    assert [(u.name, u.members) for u in units.gangs] == [
        ("scheduler-plugins:a/g", (0, 1)),
        ("scheduler-plugins:b/g", (2, 3)),
    ]
    assert units.unit_index.tolist() == [0, 0, 1, 1]


def bundle(namespace: str, name: str, groups: list[str]) -> list[object]:
    marks = {f"{KOORD}/name": name, f"{KOORD}/min-available": "2", f"{KOORD}/groups": json.dumps(groups)}
    return [pod(f"{name}-{i}", node="n1", namespace=namespace, annotations=marks) for i in range(2)]


def test_bundled_gangs_of_several_namespaces_form_one_unit() -> None:
    both = ["a/x", "b/y"]
    unit = only_unit([*bundle("a", "x", both), *bundle("b", "y", both)])  # type: ignore[list-item]
    assert (unit.name, unit.members, unit.mode) == ("koordinator:a/x", (0, 1, 2, 3), DisruptionMode.WHOLE)
    assert unit.blocked is None


@pytest.mark.parametrize("own", ["a", "b"])
def test_who_names_a_gang_that_does_not_name_him_stays_and_the_other_is_as_it_was(own: str) -> None:
    """Also within one namespace."""
    pods = [*bundle(own, "x", [f"{own}/x", "b/y"]), *bundle("b", "y", [])]
    claimant, other = resolve(snap(pods)).gangs  # type: ignore[arg-type]
    assert claimant.blocked is not None
    assert (claimant.members, claimant.blocked.reason, claimant.blocked.by) == (
        (0, 1),
        Reason.GANG_ONE_SIDED,
        "koordinator:b/y",
    )
    assert claimant.blocked.detail == f"koordinator:{own}/x names it, and is not named by it"
    assert (other.members, other.blocked) == ((2, 3), None)


def test_a_bundle_of_two_is_not_torn_open_by_a_third_that_lists_both() -> None:
    both = ["a/x", "b/y"]
    third = bundle("c", "z", [*both, "c/z"])
    found = resolve(snap([*bundle("a", "x", both), *bundle("b", "y", both), *third])).gangs  # type: ignore[arg-type]
    assert [(u.members, u.blocked is None) for u in found] == [((0, 1, 2, 3), True), ((4, 5), False)]


def test_what_a_gang_s_object_lists_counts_and_not_what_its_pods_claim() -> None:
    """As for Koordinator's scheduler, which reads the annotations of pods only where there is no object."""
    marks = {f"{KOORD}/groups": json.dumps(["a/x", "b/y"])}
    labels = {"pod-group.scheduling.sigs.k8s.io": "x"}
    pods = [pod(f"x-{i}", node="n1", namespace="a", labels=labels, annotations=marks) for i in range(2)]
    of_object = custom("scheduling.sigs.k8s.io/v1alpha1", "PodGroup", "x", {"minMember": 2}, "a")
    found = resolve(snap([*pods, *bundle("b", "y", [])], [of_object])).gangs  # type: ignore[list-item]
    assert [(u.members, u.blocked) for u in found] == [((0, 1), None), ((2, 3), None)]


def test_a_bundle_with_a_gang_that_is_not_there_does_not_move() -> None:
    unit = only_unit(bundle("a", "x", ["a/x", "b/gone"]))  # type: ignore[arg-type]
    assert unit.blocked is not None
    assert (unit.blocked.reason, unit.blocked.by) == (Reason.GANG_UNKNOWN, "koordinator:b/gone")


@pytest.mark.parametrize("when_unset", list(DisruptionMode))
def test_what_the_object_leaves_open_the_policy_decides(when_unset: DisruptionMode) -> None:
    pods = members(4, labels={GROUP_LABEL: "g"})
    unit = resolve(snap(pods, [group("g", 2)]), when_unset=when_unset).gangs[0]
    assert unit.mode is when_unset
    assert unit.moving(1) == ((0, 1, 2, 3) if when_unset is DisruptionMode.WHOLE else (1,))


def test_only_running_pods_are_alive_and_finished_ones_are_no_members() -> None:
    pods = [
        pod("a", node="n1", pod_group="g"),
        pod("b", node="n1", pod_group="g", deleting=1.0),
        pod("c", pod_group="g"),
        pod("d", node="n1", pod_group="g", phase=Phase.SUCCEEDED),
    ]
    unit = only_unit(pods, [core_group("g", 3)])
    assert (unit.members, unit.alive) == ((0, 1, 2), 1)


def test_a_pod_of_no_gang_is_a_unit_of_its_own() -> None:
    units = resolve(snap([pod("a-1", node="n1"), pod("b", node="n1", owners=())]))
    assert (units.gangs, units.unit_index.tolist()) == ((), [-1, -1])
    alone, bare = units.of(0), units.of(1)
    assert (alone.name, alone.gang, alone.members, alone.consequence) == (
        "default/a-1",
        False,
        (0,),
        Consequence.RESCHEDULED,
    )
    assert bare.consequence is Consequence.LOST
    assert units.members(1) == (1,)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "g0", "g1", "g2"]), st.sampled_from(["", "h0", "h1"]), st.sampled_from(["x", "y"])
        ),
        min_size=1,
        max_size=12,
    )
)
def test_units_divide_the_pods_and_never_cut_a_gang(marks: list[tuple[str, str, str]]) -> None:
    pods = [
        pod(f"p{i:02d}", node="n1", namespace=ns, pod_group=core, labels={GROUP_LABEL: label} if label else {})
        for i, (core, label, ns) in enumerate(marks)
    ]
    objects = [core_group(f"g{i}", 1, namespace=ns) for i in range(3) for ns in "xy"]
    objects += [group(f"h{i}", 1, ns) for i in range(2) for ns in "xy"]
    snapshot = snap(pods, objects)
    units = resolve(snapshot)
    seen = [m for u in units.gangs for m in u.members]
    assert len(seen) == len(set(seen))
    for i, p in enumerate(snapshot.pods):
        mates = {
            j
            for j, other in enumerate(snapshot.pods)
            if other.namespace == p.namespace
            and (
                (p.pod_group and other.pod_group == p.pod_group)
                or (GROUP_LABEL in p.labels and other.labels.get(GROUP_LABEL) == p.labels[GROUP_LABEL])
            )
        }
        assert mates <= set(units.members(i))
        assert (units.unit_index[i] >= 0) == bool(mates)


def test_resolving_twice_gives_the_same() -> None:
    pods = members(3, pod_group="g") + members(3, "x", labels={GROUP_LABEL: "h"})
    snapshot = snap(pods, [core_group("g", 3), group("h", 3)])
    assert len(resolve(snapshot).gangs) == 2
    assert resolve(snapshot).gangs == resolve(snapshot).gangs
