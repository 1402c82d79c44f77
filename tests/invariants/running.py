"""One seed: draw a cluster, a policy and strategies, plan, and check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import msgspec

from descheduler.gangs import resolve
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import PlanDocument
from descheduler.observe.freshness import FreshnessRules
from descheduler.planning import ChosenStrategy, PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.proofs import ProofRules
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import FreshnessPolicy, ProofPolicy
from descheduler.scheduler import Scoring
from descheduler_strategies.gpu_defragmentation.strategy import GpuDefragmentation, GpuDefragmentationArgs
from descheduler_strategies.hot_nodes import HotNodes, HotNodesArgs
from generated.clusters import RandomCluster, random_cluster
from generated.usage import UsagePool
from invariants.checker import Checker, Rules, Violation
from invariants.past import NOTHING, Past, draw_past
from invariants.reckless import Reckless, RecklessArgs, Ruthless

AGAIN = 8  # every so many states the plan is made twice


@dataclass(frozen=True)
class Examined:
    """What came of one seed."""

    seed: int
    moves: int
    removals: int
    waves: int
    violations: tuple[Violation, ...]


def examine(seed: int, pool: UsagePool, nodes: int = 12, pods: int = 60, *, removals: bool = False) -> Examined:
    """Plan the cluster of a seed and say what is wrong with the plan; with `removals` pods are taken away too."""
    cluster = random_cluster(seed, pool, nodes, pods)
    rng = Random(seed ^ 0x5EED)
    landing = landing_of(seed)
    settings, chosen = replace(draw_settings(rng), landing=landing), draw_strategies(rng)
    if removals:
        chosen.insert(0, ChosenStrategy(Ruthless(), RecklessArgs(seed=seed)))
    past = draw_past(Random(seed ^ 0xBEF0), cluster.snapshot)
    windows = tuple(drawn.window for drawn in past.windows)
    settings = replace(settings, filters=replace(settings.filters, windows=windows))
    plan = planned(cluster, settings, chosen, past)
    found = check(plan, cluster, settings, past)
    if seed % AGAIN == 0:
        again = planned(random_cluster(seed, pool, nodes, pods), settings, chosen, past)
        if msgspec.json.encode(again) != msgspec.json.encode(plan):
            found.append(Violation("unstable", "the same input gave another plan"))
    return Examined(
        seed, int(plan.summary["moves"]), int(plan.summary.get("removals", 0)), int(plan.summary["waves"]), tuple(found)
    )


def landing_of(seed: int) -> LandingMode:
    """A third of the states is steered; one in nine each holds places and directs, for there searches take longest."""
    if seed % 9 in (1, 4):
        return LandingMode.RESERVED if seed % 9 == 1 else LandingMode.DIRECTED
    return LandingMode.PREDICTED if seed % 3 else LandingMode.STEERED


def planned(
    cluster: RandomCluster, settings: PlanningSettings, chosen: Sequence[ChosenStrategy], past: Past = NOTHING
) -> PlanDocument:
    given = PlanningInput(
        cluster.snapshot,
        resolve(cluster.snapshot),
        cluster.profiles,
        cluster.now,
        past.ledger(cluster.now),
        cluster.in_flight,
        cluster.moved_last_hour,
    )
    return build_document(decide(survey(given, settings), chosen))


def check(
    plan: PlanDocument, cluster: RandomCluster, settings: PlanningSettings, past: Past = NOTHING
) -> list[Violation]:
    """Everything that is wrong with a plan; a strategy of ours that raised is wrong too."""
    limits = settings.limits
    rules = Rules(
        limits.per_node,
        limits.per_namespace,
        limits.per_workload,
        limits.per_cycle,
        limits.per_hour,
        limits.waves,
        settings.proof.max_load,
        limits.nodes_per_cycle,
    )
    found = Checker(plan, cluster.snapshot, rules, cluster.in_flight, cluster.moved_last_hour, past).violations()
    found += [Violation("crash", text) for text in plan.problems if text.startswith("strategy")]
    return found


def draw_settings(rng: Random) -> PlanningSettings:
    limits = DisruptionLimits(
        per_node=rng.choice((None, None, None, 1, 3, "60%")),
        per_namespace=rng.choice((None, None, None, 2, 8, "max(2, 30%)")),
        per_workload=rng.choice((None, None, 1, 2, "10%", "50%")),
        per_cycle=rng.choice((None, None, None, 1, 5, 20, "40%")),
        per_hour=rng.choice((None, 50, 10, "max(12, 20%)")),
        nodes_per_cycle=rng.choice((None, None, None, None, 2, "50%")),
        waves=rng.choice((None, None, 1, 3)),
    )
    proof = rng.choice(
        (
            ProofRules.of(ProofPolicy()),
            ProofRules.of(ProofPolicy(max_load={"cpu": 0.9}, max_risk=0.4)),
            ProofRules.of(ProofPolicy(max_load={}, max_risk=0.95)),
            ProofRules.of(ProofPolicy(max_load={}, max_risk=0.6)),
        )
    )
    freshness = FreshnessRules.of(FreshnessPolicy(), HistoryPolicy(min_coverage=0.0))
    return PlanningSettings(
        limits=limits, proof=proof, freshness=freshness, scoring={"default-scheduler": rng.choice(list(Scoring))}
    )


def draw_strategies(rng: Random) -> list[ChosenStrategy]:
    hot = HotNodesArgs(
        thresholds={"cpu": rng.choice((0.4, 0.6, 0.75)), "memory": 0.85},
        min_coverage=rng.choice((0.0, 0.8)),
        min_confidence=0.0,
        max_risk=rng.choice((0.2, 0.6)),
    )
    chosen = [
        ChosenStrategy(HotNodes(), hot),
        *(ChosenStrategy(GpuDefragmentation(), gpu) for gpu in draw_gpu_arguments(rng)),
    ]
    if rng.random() < 0.5:
        chosen.append(ChosenStrategy(Reckless(), RecklessArgs(seed=rng.randrange(10**6))))
    return chosen


def draw_gpu_arguments(rng: Random) -> list[GpuDefragmentationArgs]:
    """GpuDefragmentation for slots, alone or beside its other objectives."""
    slot = {"gpus": rng.choice((2, 4, 8)), "cpu": rng.choice(("0", "1"))}
    common = {"max_risk": 0.6, "max_moves": rng.choice((3, 35))}
    slots = {"objective": "slots", "slot": slot, "wanted": rng.randint(1, 3)}
    pending = {"objective": "pending", "pending": {"within": rng.choice(("", "topology.kubernetes.io/zone"))}}
    fragmentation = {"objective": "fragmentation", "min_gain": rng.choice((0.01, 0.2))}
    found = rng.choice(([slots], [slots, pending], [slots, fragmentation], [slots, pending, fragmentation]))
    return [GpuDefragmentationArgs.model_validate({**common, **objective}) for objective in found]
