"""The vectorised predicates say what a plain, slow reference says; moving pods and preparing anew are the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, WhatIf, prepare
from scheduler.clusters import random_cluster
from scheduler.reference import Reference

randoms = st.integers(0, 2**32).map(Random)


def _same(state: WhatIf, reference: Reference) -> None:
    for pod in range(len(reference.pods)):
        expected = reference.verdicts(pod)
        found = [Predicate(v) for v in state.verdicts(pod).tolist()]
        assert found == expected, f"{reference.pods[pod]} on {reference.nodes}"
        assert state.fits(pod).tolist() == [v is Predicate.OK for v in expected]


def _shuffle(rng: Random, state: WhatIf, reference: Reference, moves: int) -> None:
    """Take pods away and put them anywhere, in both worlds."""
    for _ in range(moves):
        pod = rng.randrange(len(reference.pods))
        if reference.pods[pod].terminal:
            continue
        if pod in reference.where:
            state.remove(pod)
            del reference.where[pod]
        if rng.random() < 0.7:
            node = rng.randrange(len(reference.nodes))
            state.place(pod, node)
            reference.where[pod] = node


def _as_snapshot(reference: Reference) -> ClusterSnapshot:
    snapshot = reference.snapshot
    pods = tuple(
        p if p.terminal else replace(p, node=snapshot.nodes[reference.where[i]].name if i in reference.where else "")
        for i, p in enumerate(snapshot.pods)
    )
    return replace(snapshot, pods=pods)


@given(randoms)
@settings(max_examples=400, deadline=None)
def test_verdicts_are_the_references(rng: Random) -> None:
    snapshot = random_cluster(rng)
    _same(prepare(snapshot).what_if(), Reference(snapshot))


@given(randoms)
@settings(max_examples=200, deadline=None)
def test_moves_are_seen_by_later_questions(rng: Random) -> None:
    snapshot = random_cluster(rng)
    state, reference = prepare(snapshot).what_if(), Reference(snapshot)
    for _ in range(3):
        _shuffle(rng, state, reference, 4)
        _same(state, reference)


@given(randoms)
@settings(max_examples=150, deadline=None)
def test_any_moves_equal_a_fresh_start_from_where_they_lead(rng: Random) -> None:
    snapshot = random_cluster(rng)
    state, reference = prepare(snapshot).what_if(), Reference(snapshot)
    _shuffle(rng, state, reference, 8)
    fresh = prepare(_as_snapshot(reference)).what_if()
    assert np.array_equal(state.free(), fresh.free())
    for pod in range(len(snapshot.pods)):
        assert np.array_equal(state.verdicts(pod), fresh.verdicts(pod))
        assert np.array_equal(state.outlook(pod).totals(), fresh.outlook(pod).totals())
        assert state.likely(pod) == fresh.likely(pod)


@given(randoms)
@settings(max_examples=100, deadline=None)
def test_taking_a_pod_away_and_putting_it_back_changes_nothing(rng: Random) -> None:
    snapshot = random_cluster(rng)
    untouched, state = prepare(snapshot).what_if(), prepare(snapshot).what_if()
    for pod in range(len(snapshot.pods)):
        node = state.node_of(pod)
        if node >= 0:
            state.remove(pod)
            state.place(pod, node)
    assert np.array_equal(state.free(), untouched.free())
    assert np.array_equal(state.gpu_milli(), untouched.gpu_milli())
    for pod in range(len(snapshot.pods)):
        assert np.array_equal(state.verdicts(pod), untouched.verdicts(pod))
        assert np.array_equal(state.outlook(pod).totals(), untouched.outlook(pod).totals())


@given(randoms)
@settings(max_examples=100, deadline=None)
def test_forks_know_nothing_of_one_another(rng: Random) -> None:
    snapshot = random_cluster(rng)
    state, reference = prepare(snapshot).what_if(), Reference(snapshot)
    _shuffle(rng, state, reference, 3)
    fork, forked = state.fork(), Reference(snapshot)
    forked.where = dict(reference.where)
    _shuffle(rng, fork, forked, 3)
    grandchild, grandforked = fork.fork(), Reference(snapshot)
    grandforked.where = dict(forked.where)
    _shuffle(rng, grandchild, grandforked, 3)
    _shuffle(rng, state, reference, 3)
    _same(state, reference)
    _same(fork, forked)
    _same(grandchild, grandforked)


@given(randoms)
@settings(max_examples=100, deadline=None)
def test_few_nodes_get_the_same_answers_as_all(rng: Random) -> None:
    snapshot = random_cluster(rng)
    state, reference = prepare(snapshot).what_if(), Reference(snapshot)
    _shuffle(rng, state, reference, 3)
    pods = np.arange(len(snapshot.pods))
    each = np.stack([state.fits(int(p)) for p in pods])
    nodes = np.array([rng.randrange(len(snapshot.nodes)) for _ in range(3)])
    for pod in pods.tolist():
        assert np.array_equal(state.fits(pod, nodes), each[pod, nodes])
        assert np.array_equal(state.verdicts(pod, nodes), state.verdicts(pod)[nodes])
