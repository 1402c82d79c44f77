"""Whatever objects a tenant writes: the cycle goes on, and for everybody else as if they were not there."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.kube.convert.kinds import KINDS
from hostile.cycle import cycle, run, strangers, world
from hostile.objects import valid
from hostile.watching import events_of, follow
from hostile.words import field_names, label_keys


def test_the_healthy_part_has_something_to_lose() -> None:
    alone = world().alone
    assert len(alone.moves) == 2
    assert sum(reason == "" for reason in alone.stays.values()) > 100
    assert cycle({}) == (0, "")


def test_the_fuzzer_knows_what_the_program_reads() -> None:
    assert {"gang.scheduling.koordinator.sh/groups", "scheduling.koordinator.sh/device-allocated"} <= set(label_keys())
    assert {"minMember", "podSets", "replicatedJobs", "minor"} <= set(field_names())


@pytest.mark.parametrize("key", KINDS)
def test_objects_from_which_mutation_begins_are_valid(key: str) -> None:
    """Of objects that nobody can read only the codec would be tried."""
    rng = Random(1)
    found = {key: [msgspec.json.encode(valid(rng, key, number)) for number in range(20)]}
    assert cycle(found) == (0, "")


@given(st.integers(0, 2**40), st.integers(1, 40), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_no_strange_object_costs_the_cluster_its_cycle(seed: int, objects: int, formats: int) -> None:
    """Shrinks towards few objects."""
    assert cycle(strangers(Random(seed), objects, 0), formats=formats == 20)[1] == ""


@pytest.mark.parametrize("seed", range(900, 904))
def test_nor_do_a_thousand_of_them(seed: int) -> None:
    tally = run(seed, 1000, 250)
    assert not tally.lost
    assert tally.problems > 50  # they are named


@pytest.mark.parametrize("key", ["pods", "nodes", "poddisruptionbudgets", "kueue.x-k8s.io/Workload"])
def test_nor_does_one_that_comes_by_an_event(key: str) -> None:
    rng = Random(7)
    strange = strangers(rng, 300, 0, kind=key)[key]
    found = follow(key, strange[:100], events_of(rng, strange))
    assert found.lists == 1  # no event was so strange that all had to be read anew
    assert found.objects
    assert found.played
    assert not found.error
