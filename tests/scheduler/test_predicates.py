"""Each predicate, in the words of the scheduler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import cluster, node, pod, spec, workload
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.nodes import NodeGpus, Taint
from descheduler.model.pods import (
    GpuRequest,
    HostPort,
    NodeAffinity,
    Pod,
    PodClaim,
    PodSpec,
    SpreadConstraint,
    Toleration,
)
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.storage import Claim, ClaimTemplate, StorageClass, Volume
from descheduler.scheduler import Predicate, Scoring, prepare
from scheduler.asking import ZONE, ask, at, spread, term, together, verdicts


class TestNodes:
    def test_a_cordoned_node_takes_only_pods_that_tolerate_the_cordon(self) -> None:
        nodes = [node("a", unschedulable=True)]
        assert ask(nodes, spec()) == {"a": Predicate.UNSCHEDULABLE}
        tolerant = spec(tolerations=(Toleration("node.kubernetes.io/unschedulable", "Exists"),))
        assert ask(nodes, tolerant) == {"a": Predicate.OK}

    def test_a_node_that_is_not_ready_or_virtual_is_no_destination(self) -> None:
        virtual = replace(node("v"), virtual=True)
        everything = spec(tolerations=(Toleration(operator="Exists"),))
        assert ask([node("a", ready=False), virtual], everything) == {
            "a": Predicate.NOT_READY,
            "v": Predicate.VIRTUAL,
        }

    @pytest.mark.parametrize(
        ("toleration", "verdict"),
        [
            (Toleration("k", "Equal", "v"), Predicate.OK),
            (Toleration("k", "Equal", "v", "NoExecute"), Predicate.TAINT),
            (Toleration("k", "Exists"), Predicate.OK),
            (Toleration("", "Exists"), Predicate.OK),
            (Toleration("k", "Equal", "w"), Predicate.TAINT),
            (Toleration("k", "Gt", "1"), Predicate.TAINT),
        ],
    )
    def test_a_taint_needs_a_toleration_of_its_key_value_and_effect(
        self, toleration: Toleration, verdict: Predicate
    ) -> None:
        tainted = node("a", taints=[Taint("k", "v"), Taint("soft", "", "PreferNoSchedule")])
        assert ask([tainted], spec(tolerations=(toleration,))) == {"a": verdict}

    def test_node_selector_and_affinity_must_both_hold(self) -> None:
        nodes = [node("a", labels={"disk": "ssd", "size": "4"}), node("b", labels={"disk": "ssd"}), node("c")]
        large = NodeSelectorTerm((Requirement("size", Operator.GT, ("3",)),))
        wants = spec(node_selector=Labels(disk="ssd"), node_affinity=NodeAffinity(required=(large,)))
        assert ask(nodes, wants) == {
            "a": Predicate.OK,
            "b": Predicate.NODE_AFFINITY,
            "c": Predicate.NODE_AFFINITY,
        }

    def test_terms_are_alternatives_and_no_term_matches_nothing(self) -> None:
        nodes = [node("a"), node("b")]
        by_name = [NodeSelectorTerm(fields=(Requirement("metadata.name", Operator.IN, (n,)),)) for n in "ab"]
        assert ask(nodes, spec(node_affinity=NodeAffinity(tuple(by_name))))["b"] is Predicate.OK
        assert ask(nodes, spec(node_affinity=NodeAffinity(tuple(by_name[:1]))))["b"] is Predicate.NODE_AFFINITY
        assert ask(nodes, spec(node_affinity=NodeAffinity(())))["a"] is Predicate.NODE_AFFINITY


class TestResources:
    def test_every_requested_resource_must_be_free_also_extended_ones_and_the_number_of_pods(self) -> None:
        nodes = [
            node("cpu", cpu="1"),
            node("pods", pods=1),
            node("gpu", gpu=1),
            node("ok", gpu=2),
        ]
        others = [pod("x", node="pods"), pod("y", node="gpu", gpu=1)]
        found = ask(nodes, spec(cpu="2", gpu=1), *others)
        assert found == dict.fromkeys(("cpu", "pods", "gpu"), Predicate.RESOURCES) | {"ok": Predicate.OK}

    def test_a_node_that_has_too_little_of_what_nobody_asks_for_is_fine(self) -> None:
        full = [pod("x", cpu="8", memory="1Gi", node="a")]
        assert ask([node("a", cpu="4")], spec(cpu="0"), *full) == {"a": Predicate.OK}

    def test_the_sentence_is_the_schedulers(self) -> None:
        nodes = [node("a", cpu="1"), node("b", cpu="1", memory="1Mi"), node("c", taints=[Taint("k")])]
        snapshot = cluster(nodes, [pod("p", cpu="2", memory="1Gi")])
        state = prepare(snapshot).what_if()
        assert state.explain_text(0) == (
            "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), 2 Insufficient cpu."
        )
        assert state.explain(0) == {Predicate.TAINT: 1, Predicate.RESOURCES: 2}


class TestPorts:
    @pytest.mark.parametrize(
        ("held", "wanted", "free"),
        [
            (HostPort(80), HostPort(80), False),
            (HostPort(80), HostPort(81), True),
            (HostPort(80), HostPort(80, "UDP"), True),
            (HostPort(80, ip="10.0.0.1"), HostPort(80, ip="10.0.0.2"), True),
            (HostPort(80, ip="10.0.0.1"), HostPort(80), False),
            (HostPort(80), HostPort(80, ip="10.0.0.2"), False),
        ],
    )
    def test_a_port_is_taken_on_its_address_and_the_wildcard_means_all(
        self, held: HostPort, wanted: HostPort, free: bool
    ) -> None:
        other = pod("x", of=spec(host_ports=(held,)), node="a")
        verdict = ask([node("a")], spec(host_ports=(wanted,)), other)["a"]
        assert verdict is (Predicate.OK if free else Predicate.PORTS)


class TestVolumes:
    zonal = Volume("pv", (NodeSelectorTerm((Requirement(ZONE, Operator.IN, ("a",)),)),))

    def verdicts(
        self, claim: Claim, *pods: Pod, volume: Volume = zonal, storage: StorageClass | None = None
    ) -> dict[str, Predicate]:
        claims = {(claim.namespace, claim.name): claim}
        classes = {storage.name: storage} if storage else {}
        nodes = [node("a", zone="a"), node("b", zone="b")]
        all_pods = [pod("p", claims=("data",)), *pods]
        return verdicts(cluster(nodes, all_pods, claims=claims, volumes={volume.name: volume}, storage_classes=classes))

    def test_a_bound_volume_ties_the_pod_to_the_nodes_it_reaches(self) -> None:
        found = self.verdicts(Claim("default", "data", "pv"))
        assert found == {"a": Predicate.OK, "b": Predicate.VOLUME}

    def test_the_zone_labels_of_a_volume_count_too(self) -> None:
        labelled = Volume("pv", labels=Labels({"failure-domain.beta.kubernetes.io/zone": "a__c"}))
        found = self.verdicts(Claim("default", "data", "pv"), volume=labelled)
        assert found == {"a": Predicate.OK, "b": Predicate.VOLUME_ZONE}

    def test_a_claim_that_is_missing_unbound_or_lost_fits_nowhere(self) -> None:
        nowhere = dict.fromkeys("ab", Predicate.VOLUME_CLAIM)
        assert self.verdicts(Claim("default", "else", "pv")) == nowhere
        assert self.verdicts(Claim("default", "data", "")) == nowhere
        assert self.verdicts(Claim("default", "data", "gone")) == nowhere

    def test_an_unbound_claim_that_waits_for_its_pod_goes_where_it_can_be_provisioned(self) -> None:
        topology = NodeSelectorTerm((Requirement(ZONE, Operator.IN, ("b",)),))
        lazy = StorageClass("lazy", "WaitForFirstConsumer", "csi.example.com", (topology,))
        claim = Claim("default", "data", storage_class="lazy")
        assert self.verdicts(claim, storage=lazy) == {"a": Predicate.VOLUME_BIND, "b": Predicate.OK}
        chosen = replace(claim, selected_node="a")
        assert self.verdicts(chosen, storage=lazy)["b"] is Predicate.VOLUME_BIND

    def test_a_claim_for_one_pod_only_is_not_shared(self) -> None:
        once = Claim("default", "data", "pv", access_modes=("ReadWriteOncePod",))
        other = pod("x", node="b", claims=("data",))
        assert self.verdicts(once, other)["a"] is Predicate.VOLUME_IN_USE
        assert self.verdicts(once)["a"] is Predicate.OK

    def test_a_claim_that_is_going_or_lost_fits_nowhere(self) -> None:
        nowhere = dict.fromkeys("ab", Predicate.VOLUME_CLAIM)
        assert self.verdicts(Claim("default", "data", "pv", deleting=True)) == nowhere
        assert self.verdicts(Claim("default", "data", "pv", phase="Lost")) == nowhere

    def test_a_pod_does_not_stand_in_its_own_way(self) -> None:
        once = Claim("default", "data", "pv", access_modes=("ReadWriteOncePod",))
        snapshot = cluster(
            [node("a")],
            [pod("p", node="a", claims=("data",))],
            claims={("default", "data"): once},
            volumes={"pv": Volume("pv")},
        )
        state = prepare(snapshot).what_if()
        assert state.fits(0).all()
        state.remove(0)
        assert state.fits(0).all()
        state.place(0, 0)
        assert state.fits(0).all()


IN_B = NodeSelectorTerm((Requirement(ZONE, Operator.IN, ("b",)),))
IN_BOTH = NodeSelectorTerm((Requirement(ZONE, Operator.IN, ("a", "b")),))
FAST, SLOW = (Volume(f"pv-{name}", TestVolumes.zonal.affinity, storage_class=name) for name in ("fast", "slow"))


class TestEphemeralVolumes:
    """A pod on a, with its old volume there; the next one is made where its class says."""

    def verdicts(
        self, *classes: StorageClass, name: str | None = "fast", volume: Volume = FAST
    ) -> dict[str, Predicate]:
        holder = pod("p", of=spec(ephemeral=(ClaimTemplate("data", name),)), node="a")
        return verdicts(
            cluster(
                [node("a", zone="a"), node("b", zone="b")],
                [holder],
                claims={("default", "p-data"): Claim("default", "p-data", volume.name, deleting=True)},
                volumes={volume.name: volume},
                storage_classes={one.name: one for one in classes},
            )
        )

    def test_its_old_volume_does_not_tie_the_pod(self) -> None:
        lazy = StorageClass("fast", "WaitForFirstConsumer", "csi.example.com")
        assert self.verdicts(lazy) == {"a": Predicate.OK, "b": Predicate.OK}

    def test_the_topologies_of_its_class_do(self) -> None:
        lazy = StorageClass("fast", "WaitForFirstConsumer", "csi.example.com", (IN_B,))
        assert self.verdicts(lazy) == {"a": Predicate.VOLUME_BIND, "b": Predicate.OK}

    def test_without_a_class_it_is_the_newest_default(self) -> None:
        old = StorageClass("old", "WaitForFirstConsumer", "csi.example.com", default=True, created=1.0)
        new = replace(old, name="new", allowed_topologies=(IN_B,), created=2.0)
        assert self.verdicts(old, new, name=None) == {"a": Predicate.VOLUME_BIND, "b": Predicate.OK}

    def test_where_no_class_makes_it_the_pod_fits_nowhere(self) -> None:
        lazy = StorageClass("fast", "WaitForFirstConsumer", "csi.example.com")
        static = StorageClass("slow", "WaitForFirstConsumer", "kubernetes.io/no-provisioner")
        nowhere = dict.fromkeys("ab", Predicate.VOLUME_CLAIM)
        assert self.verdicts(lazy, name="gone") == nowhere
        assert self.verdicts(lazy, name=None) == nowhere
        assert self.verdicts(lazy, name="") == nowhere
        assert self.verdicts(static, name="slow") == dict.fromkeys("ab", Predicate.VOLUME_BIND)

    def test_a_class_that_binds_at_once_is_good_where_its_place_can_be_foreseen(self) -> None:
        eager = StorageClass("fast", "Immediate", "csi.example.com")
        everywhere = dict.fromkeys("ab", Predicate.OK)
        assert self.verdicts(eager) == dict.fromkeys("ab", Predicate.VOLUME_CLAIM)  # the next may be in a or in b
        assert self.verdicts(eager, volume=SLOW) == everywhere  # its volumes tie nobody
        assert self.verdicts(replace(eager, allowed_topologies=(IN_BOTH,)))["b"] is Predicate.VOLUME_CLAIM
        assert self.verdicts(replace(eager, allowed_topologies=(IN_B,)))["b"] is Predicate.OK


NODES = [node("a1", zone="a"), node("a2", zone="a"), node("b1", zone="b"), node("bare")]
WEB = {"app": "web"}


class TestSpread:
    def ask(self, constraint: SpreadConstraint, *places: str, only: Labels = NO_LABELS) -> dict[str, Predicate]:
        others = [pod(f"w-{i}", node=n, labels=WEB) for i, n in enumerate(places)]
        return ask(NODES, spec(spread=(constraint,), node_selector=only), *others, labels=WEB)

    def test_no_domain_gets_further_ahead_than_max_skew(self) -> None:
        found = self.ask(spread(WEB), "a1")
        assert found == {
            "a1": Predicate.SPREAD,
            "a2": Predicate.SPREAD,
            "b1": Predicate.OK,
            "bare": Predicate.SPREAD_LABEL,
        }
        assert self.ask(spread(WEB, skew=2), "a1")["a1"] is Predicate.OK

    def test_fewer_domains_than_min_domains_means_a_least_of_zero(self) -> None:
        constraint = spread(WEB, min_domains=3)
        assert self.ask(constraint, "a1", "b1")["b1"] is Predicate.SPREAD
        assert self.ask(replace(constraint, min_domains=2), "a1", "b1")["b1"] is Predicate.OK

    def test_nodes_the_pod_cannot_choose_count_only_under_ignore(self) -> None:
        only_b = Labels({ZONE: "b"})
        assert self.ask(spread(WEB), "b1", only=only_b)["b1"] is Predicate.OK
        ignore = spread(WEB, node_affinity_policy="Ignore")
        assert self.ask(ignore, "b1", only=only_b)["b1"] is Predicate.SPREAD

    def test_tainted_nodes_count_unless_taints_are_honoured(self) -> None:
        nodes = [node("a", zone="a"), node("b", zone="b", taints=[Taint("k")])]
        other = pod("w-0", node="a", labels=WEB)
        ignoring = spec(spread=(spread(WEB),))
        assert ask(nodes, ignoring, other, labels=WEB)["a"] is Predicate.SPREAD
        honouring = spec(spread=(spread(WEB, node_taints_policy="Honor"),))
        assert ask(nodes, honouring, other, labels=WEB)["a"] is Predicate.OK

    def test_terminating_pods_and_other_namespaces_do_not_count(self) -> None:
        going = pod("w-0", node="a1", labels=WEB, deleting=1.0)
        foreign = pod("w-1", node="a1", labels=WEB, namespace="other")
        found = ask(NODES, spec(spread=(spread(WEB),)), going, foreign, labels=WEB)
        assert found["a1"] is Predicate.OK

    def test_match_label_keys_compare_only_pods_of_the_same_revision(self) -> None:
        old = pod("w-0", node="a1", labels={**WEB, "hash": "1"})
        of = spec(spread=(spread(WEB, match_label_keys=("hash",)),))
        assert ask(NODES, of, old, labels={**WEB, "hash": "2"})["a1"] is Predicate.OK
        assert ask(NODES, of, old, labels={**WEB, "hash": "1"})["a1"] is Predicate.SPREAD


class TestInterPod:
    def test_affinity_wants_a_friend_in_the_domain(self) -> None:
        wants = spec(affinity=together(term(ZONE, {"app": "db"})))
        friend = pod("db-0", node="a1", labels={"app": "db"})
        assert ask(NODES, wants, friend) == {
            "a1": Predicate.OK,
            "a2": Predicate.OK,
            "b1": Predicate.AFFINITY,
            "bare": Predicate.AFFINITY,
        }

    def test_the_first_of_a_set_with_affinity_to_itself_may_go_anywhere_with_the_label(self) -> None:
        wants = spec(affinity=together(term(ZONE, {"app": "web"})))
        found = ask(NODES, wants, labels={"app": "web"})
        assert found == dict.fromkeys(("a1", "a2", "b1"), Predicate.OK) | {"bare": Predicate.AFFINITY}
        assert set(ask(NODES, wants, labels={"app": "else"}).values()) == {Predicate.AFFINITY}

    def test_a_friend_must_match_every_term(self) -> None:
        wants = spec(affinity=together(term(ZONE, {"app": "db"}), term(ZONE, {"tier": "1"})))
        one = pod("x-0", node="a1", labels={"app": "db"})
        other = pod("y-0", node="a1", labels={"tier": "1"})
        assert ask(NODES, wants, one, other)["a1"] is Predicate.AFFINITY
        both = pod("z-0", node="b1", labels={"app": "db", "tier": "1"})
        assert ask(NODES, wants, one, other, both)["b1"] is Predicate.OK

    def test_namespaces_are_the_pods_own_unless_named_or_selected(self) -> None:
        friend = pod("db-0", node="a1", labels={"app": "db"}, namespace="other")

        def fits(**rest: object) -> bool:
            wants = spec(affinity=together(term(ZONE, {"app": "db"}, **rest)))
            snapshot = cluster(NODES, [pod("p", of=wants), friend], namespaces={"other": {"team": "x"}})
            return verdicts(snapshot)["a2"] is Predicate.OK

        assert not fits()
        assert fits(namespaces=("other",))
        assert fits(namespace_selector=LabelSelector())
        assert fits(namespace_selector=LabelSelector.of({"team": "x"}))
        assert not fits(namespace_selector=LabelSelector.of({"team": "y"}))

    def test_label_keys_narrow_the_term_to_pods_like_or_unlike_the_pod(self) -> None:
        old = pod("w-0", node="a1", labels={"app": "web", "hash": "1"})
        keyed = spec(anti_affinity=together(term(ZONE, {"app": "web"}, match_label_keys=("hash",))))
        assert ask(NODES, keyed, old, labels={"app": "web", "hash": "2"})["a2"] is Predicate.OK
        assert ask(NODES, keyed, old, labels={"app": "web", "hash": "1"})["a2"] is Predicate.ANTI_AFFINITY
        unlike = spec(anti_affinity=together(term(ZONE, {"app": "web"}, mismatch_label_keys=("hash",))))
        assert ask(NODES, unlike, old, labels={"app": "web", "hash": "1"})["a2"] is Predicate.OK


class TestGpus:
    shared = GpuRequest("nvidia.com/gpu", 1, 500)

    def sharing(self, name: str, milli: int, *indices: int, node: str = "") -> Pod:
        of = PodSpec(gpu=GpuRequest("nvidia.com/gpu", 1, milli))
        return pod(name, of=of, node=node, gpu_indices=indices)

    def test_parts_fit_on_a_device_that_has_as_much_left(self) -> None:
        nodes = [node("a", gpu=2), node("none")]
        pods = [self.sharing("x", 700, 0, node="a"), self.sharing("y", 600, 1, node="a")]
        small, large = self.sharing("p", 400), self.sharing("q", 500)
        snapshot = cluster(nodes, [*pods, small, large])
        assert verdicts(snapshot, "p") == {"a": Predicate.OK, "none": Predicate.GPU_DEVICES}
        assert verdicts(snapshot, "q")["a"] is Predicate.GPU_DEVICES

    def test_a_whole_gpu_needs_a_device_that_nobody_shares(self) -> None:
        whole = pod("p", of=spec(gpu=1))
        shared = [self.sharing("x", 100, 0, node="a"), self.sharing("y", 100, 1, node="a")]
        assert verdicts(cluster([node("a", gpu=2)], [whole, *shared]))["a"] is Predicate.GPU_DEVICES
        assert verdicts(cluster([node("a", gpu=2)], [whole, *shared[:1]]))["a"] is Predicate.OK

    def test_a_model_is_asked_for_by_name(self) -> None:
        wants = PodSpec(requests=spec(gpu=1).requests, gpu=GpuRequest("nvidia.com/gpu", 1, models=("H100",)))
        nodes = [node("a", gpu=1, model="H100"), node("b", gpu=1, model="T4")]
        assert ask(nodes, wants) == {"a": Predicate.OK, "b": Predicate.GPU_DEVICES}

    def test_a_pod_that_leaves_and_comes_back_has_its_own_devices_again(self) -> None:
        snapshot = cluster([node("a", gpu=4)], [self.sharing("x", 500, 3, node="a"), self.sharing("y", 200, node="a")])
        state = prepare(snapshot).what_if()
        before = state.gpu_milli()
        assert before[0].tolist() == [1000, 1000, 1000, 300]
        state.remove(at(snapshot, "x"))
        assert state.whole_gpus().tolist() == [3]
        state.place(at(snapshot, "x"), 0)
        assert np.array_equal(state.gpu_milli(), before)
        assert state.gpus_held(at(snapshot, "x")) == (3,)

    def test_resources_beside_the_devices_are_only_counted(self) -> None:
        slices = replace(node("a", gpu=1, example_com__slice=2), gpus=NodeGpus("nvidia.com/gpu", 1))
        wants = PodSpec(requests=(("example.com/slice", 1), ("pods", 1)), gpu=GpuRequest("example.com/slice", 1))
        sliced = replace(slices, allocatable=(("example.com/slice", 2), ("nvidia.com/gpu", 1), ("pods", 9)))
        assert ask([sliced], wants)["a"] is Predicate.OK


def test_a_pod_whose_claims_are_not_known_cannot_be_proven_a_place() -> None:
    assert ask([node("a")], spec(resource_claims=(PodClaim("gpu", template="one"),)))["a"] is Predicate.UNREADABLE


class TestMoves:
    def test_placing_a_pod_that_has_a_place_is_refused(self) -> None:
        state = prepare(cluster([node("a")], [pod("p", node="a")])).what_if()
        with pytest.raises(ValueError, match="default/p"):
            state.place(0, 0)
        state.remove(0)
        with pytest.raises(ValueError, match="no node 1"):
            state.place(0, 1)

    def test_finished_pods_hold_nothing(self) -> None:
        done = pod("p", node="a", cpu="32")
        snapshot = cluster([node("a")], [replace(done, phase=done.phase.SUCCEEDED)])
        state = prepare(snapshot).what_if()
        assert state.node_of(0) == -1
        assert state.free()[:, snapshot.columns.resource("cpu")].tolist() == [32_000]


class TestLanding:
    def test_the_emptiest_node_is_likeliest_and_equals_share(self) -> None:
        nodes = [node(n) for n in "abc"]
        snapshot = cluster(nodes, [pod("p", cpu="1"), pod("x", cpu="8", memory="32Gi", node="a")])
        assert prepare(snapshot).what_if().likely(at(snapshot, "p")) == ((1, 0.5), (2, 0.5))

    def test_most_allocated_prefers_the_fullest_node(self) -> None:
        nodes = [node(n) for n in "abc"]
        snapshot = cluster(nodes, [pod("p", cpu="1"), pod("x", cpu="8", memory="32Gi", node="a")])
        state = prepare(snapshot, scoring=Scoring.MOST_ALLOCATED).what_if()
        assert state.likely(at(snapshot, "p"))[0] == (0, 1.0)

    def test_nowhere_is_an_empty_answer(self) -> None:
        snapshot = cluster([node("a", cpu="1")], [pod("p", cpu="2")])
        state = prepare(snapshot).what_if()
        assert state.likely(0) == ()
        assert state.outlook(0).totals().tolist() == []

    def test_replicas_keep_apart_without_being_asked(self) -> None:
        labels = {"app": "web"}
        owner = workload("ReplicaSet", "web", selector=LabelSelector.of(labels))
        nodes = [node("a"), node("b")]
        pods = [
            pod("web-0", node="a", cpu="0", memory="0", labels=labels),
            pod("web-1", cpu="0", memory="0", labels=labels),
        ]
        heavy = pod("other-0", node="b", cpu="2", memory="8Gi")
        snapshot = cluster(nodes, [*pods, heavy], workloads=[owner])
        assert prepare(snapshot).what_if().likely(at(snapshot, "web-1"))[0] == (1, 1.0)

    def test_in_a_large_cluster_the_best_node_may_not_be_looked_at(self) -> None:
        nodes = [node(f"n{i:03d}", cpu="64" if i == 7 else "32") for i in range(400)]
        snapshot = cluster(nodes, [pod("p", cpu="1", memory="0")])
        likely = prepare(snapshot).what_if().likely(0)
        assert likely[0][0] == 7
        assert likely[0][1] == pytest.approx(0.46, abs=0.01)  # 184 of 400 are looked at
        assert sum(share for _, share in likely) == pytest.approx(1.0)
