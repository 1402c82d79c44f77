"""The plan document: one versioned record of what was seen, expected, proposed, refused and decided.

Everything else (table, HTML page, events, metrics, executor) is a view of it. It speaks in names, never in positions,
so that it can be read without the snapshot it was made from. Same input, same document: no clock, no random order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from descheduler.model.action_kind import ActionKind as ActionKind
from descheduler.model.plan_gpus import GpuMap as GpuMap
from descheduler.model.plan_reading import AwayRow as AwayRow
from descheduler.model.plan_reading import EvidenceRow as EvidenceRow
from descheduler.model.plan_reading import SettingRow as SettingRow

PLAN_FORMAT = "descheduler/plan"
PLAN_VERSION = 1


_HISTORY = "history/"  # before the name of a signal, where sources are listed


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One kind or signal that the plan rests on; `state`: fresh, stale, partial, absent. Age at planning time."""

    name: str
    state: str
    age_seconds: float
    items: int
    detail: str = ""

    @classmethod
    def of_signal(cls, signal: str, state: str, age_seconds: float, workloads: int, detail: str) -> SourceRow:
        """The row of a signal's history."""
        return cls(f"{_HISTORY}{signal}", state, age_seconds, workloads, detail)

    @property
    def signal(self) -> str:
        """The signal whose history it is, empty for a kind of the cluster."""
        return self.name.removeprefix(_HISTORY) if self.name.startswith(_HISTORY) else ""


@dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding and its `outcome`: cured, eased, unanswered or left-alone. `after`: its value with the plan.

    `refused` counts the units that might have answered it by why they may not, whoever refused them. `would`: what
    would be done about it, where the policy has it reported alone.
    """

    id: str
    strategy: str
    subject: str
    measure: str
    resource: str
    value: float
    threshold: float
    after: float
    outcome: str
    text: str
    nodes: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    curve: tuple[float, ...] = ()
    curve_after: tuple[float, ...] = ()
    step_seconds: int = 0
    bound: float | None = None  # the best that any plan within the same limits could reach, where proven
    numbers: Mapping[str, float] = field(default_factory=dict)  # further ones, with their unit: "idle GPU-hours"
    refused: Mapping[str, int] = field(default_factory=dict)  # reason -> units
    would: str = ""
    evidence: EvidenceRow | None = None  # of forecasts of nodes, of the first few; no part of what `id` stands for


@dataclass(frozen=True, slots=True)
class ProofRow:
    """Why the pod has a place: how many nodes can take it, where it is expected, and how that node looks afterwards.

    `expected` is where the default scheduler's scores put it, with the share of probability in `expected_share`;
    `rejected` counts the other nodes by the first predicate that refuses ("Insufficient cpu": 12).
    `destination_peaks`: forecast peak per resource of the destination after the plan, as fractions of allocatable.
    """

    candidates: int
    expected: str
    expected_share: float
    alternatives: tuple[str, ...] = ()
    rejected: Mapping[str, int] | None = None
    destination_peaks: Mapping[str, float] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class PodMove:
    """One pod of an action. `requests` for people ("cpu": "500m").

    `becomes` are those of its replacement, empty where they are the same; `remade` says why and what else differs.
    `towards` names the nodes that its replacement is directed to, under the key `direction` (`directing.direction_of`);
    empty where landing is not directed. Where it is removed, `destination` is empty, and `state` what it was like
    (`removed_state.state_of`): it is removed only while it still is.
    """

    namespace: str
    pod: str
    uid: str
    workload: str
    source: str
    destination: str
    requests: Mapping[str, str]
    proof: ProofRow
    becomes: Mapping[str, str] = field(default_factory=dict)
    remade: str = ""
    towards: tuple[str, ...] = ()
    direction: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class CostRow:
    """Cost of an action in weighted resource-seconds, and its parts ("restart", "lost work", …)."""

    total: float
    parts: Mapping[str, float]
    text: str = ""


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """What an action takes from a budget or limit: `used` of `allowed`, all accepted actions before it included."""

    name: str
    kind: str  # PodDisruptionBudget | limit
    allowed: int
    used: int


@dataclass(frozen=True, slots=True)
class SeatRow:
    """A pending pod, and a node that has room for it once the action is done (the scheduler may choose another)."""

    namespace: str
    pod: str
    node: str


@dataclass(frozen=True, slots=True)
class Action:
    """An accepted proposal: all its pods move, in one wave, or none does; or all are removed (`kind`).

    `also_restarted` names pods that restart as a consequence without being evicted, `restarts` counts all that do, by
    workload; `room_for` the pending pods that
    it is done for; `steer` the nodes that carry a taint of ours while it is under way, so that replacements go
    elsewhere (its sources among them; empty where the policy does not steer); `cordon` the nodes that are cordoned for
    so long. An action may be one `stage` of several
    (counted from 1) that together do one thing: `bundle` is then the id of the first, and no stage is begun before
    those that precede it were carried out. `gentler` says why executors cannot move it that the policy names first.
    """

    id: str
    wave: int
    strategy: str
    finding: str
    unit: str
    gang: bool
    executor: str
    pods: tuple[PodMove, ...]
    benefit: float
    worth: float
    cost: CostRow
    budgets: tuple[BudgetRow, ...] = ()
    also_restarted: tuple[str, ...] = ()
    restarts: Mapping[str, int] = field(default_factory=dict)
    note: str = ""
    room_for: tuple[SeatRow, ...] = ()
    steer: tuple[str, ...] = ()
    cordon: tuple[str, ...] = ()
    stage: int = 1
    stages: int = 1
    bundle: str = ""
    kind: ActionKind = ActionKind.MOVE
    away: tuple[AwayRow, ...] = ()  # what people will notice of it, by workload
    gentler: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """What is not done, and why. `subject`: "pod/ns/name", "unit/…", "finding/…"; `count` folds equal ones."""

    reason: str
    explanation: str
    subject: str
    by: str
    detail: str
    strategy: str = ""
    finding: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class LeverStep:
    """With the limit at `limit`, so many `moves` more would be accepted, and so many findings more would be `cured`."""

    limit: int
    moves: int
    cured: int


@dataclass(frozen=True, slots=True)
class LeverRow:
    """A limit of the policy that held findings back: `setting` ("perCycle") as it is `written`, here `allowed`.

    `findings` are not cured of which `moves` were refused for it alone. `steps` say what larger values would bring, in
    their order, as far as that was looked at; none: nothing would be cured. `then` are settings that would hold next.
    """

    setting: str
    written: str
    allowed: int
    findings: int
    moves: int
    steps: tuple[LeverStep, ...] = ()
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeUse:
    """Fractions of allocatable: requested, and forecast peak over the report's horizon (NaN-free; -1 when unknown)."""

    cpu_requested: float
    memory_requested: float
    cpu_peak: float
    memory_peak: float
    gpus_used: float
    pods: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node; `after` is with the plan done, and with the pending pods in the room that was made for them.

    `outside`: by resource, how much of both forecast peaks is used outside of pods, as a fraction of allocatable; what
    is kept back for the system is not counted. A resource that is not there is not known.
    """

    name: str
    pool: str
    gpus: int
    ready: bool
    before: NodeUse
    after: NodeUse
    outside: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExecutorRow:
    """How actions are carried out that name this executor: its `steps`, what is not lost by it (`kept`), and the parts
    of the cost that it `spares` ("restart")."""

    name: str
    steps: tuple[str, ...]
    kept: str = ""
    spares: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """`id` is a digest of the rest; `created` is the snapshot's instant (unix seconds)."""

    format: str
    version: int
    id: str
    created: float
    product: str
    cluster: str
    policy_hash: str
    horizon_seconds: int
    sources: tuple[SourceRow, ...]
    findings: tuple[FindingRow, ...]
    actions: tuple[Action, ...]
    refusals: tuple[RefusalRow, ...]
    nodes: tuple[NodeRow, ...]
    summary: Mapping[str, float]  # e.g. nodes, pods, hot_nodes_before, hot_nodes_after, moves, waves, gpu_slots_before…
    problems: tuple[str, ...] = ()  # e.g. a strategy that failed; the plan stands without it
    acting_blocked: str = ""  # when set, nothing may be executed from this plan, and why
    mode: str = ""  # whether the controller carries it out, and who decided; no part of what `id` stands for
    gpus: GpuMap | None = None  # None: no node has any
    landing: str = ""  # who decides where moved pods land (a LandingMode), and why so
    landing_why: str = ""
    levers: tuple[LeverRow, ...] = ()  # the limits that held findings back
    remarks: tuple[str, ...] = ()  # what else it was asked for: values of the policy that were set, an earlier time
    unlooked: tuple[str, ...] = ()  # what was not looked at, and why; empty: all that the policy asks for was
    mode_since: float = 0.0  # unix seconds; 0: not known. No part of what `id` stands for
    executors: tuple[ExecutorRow, ...] = ()  # those that its actions name
    staying: Mapping[str, int] = field(default_factory=dict)  # of all pods, who may not move, by the first reason
    settings: tuple[SettingRow, ...] = ()  # what the policy says; no part of what `id` stands for
