"""Where network levels are read from: labels of nodes (presets by cloud and tool), objects that name labels or nodes.

The keys are those of the AWS, Google and Oracle documentation of their Kubernetes services, of NVIDIA Topograph
(docs/reference/node-labels.md and its predecessors), of the GPU feature discovery (`nvidia.com/gpu.clique`), of Kueue
and KAI (`Topology`, spec.levels[].nodeLabel), of Volcano (`HyperNode`) and of Koordinator (`ClusterNetworkTopology`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.bounds import LEVELS
from descheduler.model.fence import Fence, Unreadable
from descheduler.model.nodes import HOSTNAME, ZONE
from descheduler.model.objects import CustomObject, Json
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.topology.hypernodes import hyper_levels
from descheduler.topology.levels import Column, Levels, ambiguous, levels_of

CLIQUE = "nvidia.com/gpu.clique"
_TIERS = range(9, -1, -1)

LabelSet = tuple[str, ...]
"""Label keys, top to bottom."""


@dataclass(frozen=True, slots=True)
class Preset:
    """Generations of one tool's labels, the newest first; each is levels and, apart, domains of accelerator links."""

    generations: tuple[tuple[LabelSet, LabelSet], ...]


_TOPOGRAPH = "network.topology.nvidia.com/"
PRESETS: Mapping[str, Preset] = {
    "topograph": Preset(
        (
            (
                tuple(f"fabric.topograph.run/tier-{i}" for i in _TIERS),
                ("accelerator.topograph.run/domain", "accelerator.topograph.run/sub-domain"),
            ),
            (
                tuple(f"{_TOPOGRAPH}tier-{i}" for i in _TIERS),
                (f"{_TOPOGRAPH}accelerator", f"{_TOPOGRAPH}sub-domain"),
            ),
            (tuple(_TOPOGRAPH + name for name in ("core", "spine", "leaf")), (f"{_TOPOGRAPH}accelerator",)),
            (tuple(_TOPOGRAPH + name for name in ("datacenter", "spine", "block")), (f"{_TOPOGRAPH}accelerator",)),
            (tuple(f"topology.kubernetes.io/network-level-{i}" for i in _TIERS), ()),
        )
    ),
    # Layer 1 is the spine; the highest number is the leaf (instance types have three layers or four).
    "aws": Preset(
        (
            (
                tuple(f"topology.k8s.aws/network-node-layer-{i}" for i in range(1, 5)),
                ("topology.k8s.aws/ultraserver-id",),
            ),
        )
    ),
    "gcp": Preset(((tuple(f"cloud.google.com/gce-topology-{n}" for n in ("block", "subblock", "host")), ()),)),
    "oci": Preset(
        (
            (
                tuple(f"oci.oraclecloud.com/host.{n}" for n in ("network_block_id", "rack_id")),
                ("oci.oraclecloud.com/host.gpu_memory_fabric_id",),
            ),
        )
    ),
    "clique": Preset((((), (CLIQUE,)),)),
    "generic": Preset((((ZONE,), ()),)),
}
SOURCES = ("kueue", "kai", "volcano", "koordinator", *PRESETS)
"""All sources in the order in which `auto` looks for them: what an administrator declared, then what nodes tell."""


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """Levels, where they are read from, and what is wrong with them."""

    levels: Levels
    source: str
    problems: tuple[str, ...] = ()


def network_of(snapshot: ClusterSnapshot, wanted: str = "auto", labels: LabelSet = ()) -> Network:
    """The network of the cluster: by `labels` if given, else by the `wanted` source; `none` for no levels at all."""
    reader = _Reader(snapshot)
    if labels:
        return reader.by_labels("policy", labels, ())
    fence = Fence()
    for source in SOURCES if wanted == "auto" else (wanted,) if wanted in SOURCES else ():
        found = fence.around(f"topology: {source}", partial(reader.read, source), lambda _why: None)
        if found is not None:
            return replace(found, problems=(*found.problems, *fence.problems))
    if wanted not in ("auto", "none"):
        fence.problems.append(f"topology: nothing in the cluster tells a network topology of kind {wanted}")
    return Network(reader.levels((), ())[0], "none", tuple(fence.problems))


class _Reader:
    """Looks for each source in one snapshot. Nodes with GPUs are what counts, if there are any."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self.snapshot = snapshot
        self.names = [node.name for node in snapshot.nodes]
        gpus = np.fromiter((n.gpus is not None and not n.virtual for n in snapshot.nodes), np.bool_, len(self.names))
        real = np.fromiter((not n.virtual for n in snapshot.nodes), np.bool_, len(self.names))
        self.concerned: Mask = gpus if gpus.any() else real

    def read(self, source: str) -> Network | None:
        """What one source tells; None when the cluster does not have it."""
        if source in PRESETS:
            return self._preset(source, PRESETS[source])
        objects: dict[str, tuple[str, Callable[[tuple[CustomObject, ...]], Network | None]]] = {
            "kueue": ("kueue.x-k8s.io/Topology", lambda found: self._declared("kueue", found)),
            "kai": ("kai.scheduler/Topology", lambda found: self._declared("kai", found)),
            "volcano": ("topology.volcano.sh/HyperNode", self._hyper),
            "koordinator": ("scheduling.koordinator.sh/ClusterNetworkTopology", self._layers),
        }
        key, made = objects[source]
        found = tuple(one for one in self.snapshot.objects.get(key, ()) if not one.problem)
        return made(found) if found else None

    def levels(self, names: Sequence[str], columns: Sequence[Column]) -> tuple[Levels, tuple[str, ...]]:
        """The levels. Raises Unreadable when there are more than any network has."""
        if len(names) > LEVELS:
            raise Unreadable("", f"{len(names)} levels are more than any network has")
        return levels_of(names, columns, self.names, self.concerned)

    def by_labels(self, source: str, keys: LabelSet, extra: LabelSet) -> Network:
        """Levels by label keys; `extra` ones are kept only as far as they lie within the last of the others."""
        return self.by_any(source, tuple((key,) for key in keys if key != HOSTNAME), extra)

    def by_any(self, source: str, layers: Sequence[LabelSet], extra: LabelSet = ()) -> Network:
        """Levels of which each is named by the first of several labels that a node has."""
        names, columns = self._columns(layers)
        problems: list[str] = []
        for key in extra:
            name, column = self._columns(((key,),))
            if not column:
                continue
            levels, _ = self.levels([*names, *name], [*columns, *column])
            if ambiguous(column[0], levels.domain[-2], levels.known[-2]):
                problems.append(f"topology: domains of {key} do not lie within {names[-1]}; the label is left out")
                continue
            names, columns = [*names, *name], [*columns, *column]
        levels, faults = self.levels(names, columns)
        return Network(levels, source, (*faults, *problems))

    def _columns(self, layers: Sequence[LabelSet]) -> tuple[list[str], list[Column]]:
        """Those layers that some concerned node has, named by the label without its prefix where that is enough."""
        kept: list[tuple[str, Column]] = []
        for keys in layers:
            column = [next((n.labels[k] for k in keys if k in n.labels), None) for n in self.snapshot.nodes]
            if any(v is not None for v, here in zip(column, self.concerned.tolist(), strict=True) if here):
                kept.append((keys[0], column))
        short = [key.rpartition("/")[2] for key, _ in kept]
        return [s if short.count(s) == 1 else key for s, (key, _) in zip(short, kept, strict=True)], [
            c for _, c in kept
        ]

    def _preset(self, source: str, preset: Preset) -> Network | None:
        """The generation of which nodes have most labels, the newest of equals: generations share some."""
        present = self._present()
        keys, accelerators = max(preset.generations, key=lambda g: len(present.intersection((*g[0], *g[1]))))
        if present.isdisjoint((*keys, *accelerators)):
            return None
        more = () if CLIQUE in accelerators else (CLIQUE,)
        return self.by_labels(source, keys, (*accelerators, *more))

    def _present(self) -> set[str]:
        """Every label that a concerned node has."""
        nodes = zip(self.snapshot.nodes, self.concerned.tolist(), strict=True)
        return {key for node, here in nodes if here for key in node.labels}

    def _declared(self, source: str, found: tuple[CustomObject, ...]) -> Network | None:
        """Kueue's and KAI's Topology: of several the one that describes most nodes."""
        ranked = sorted(
            ((self._described(keys), o.name, keys) for o in found if (keys := _node_labels(o))), reverse=True
        )
        best = [entry for entry in ranked if entry[0] == ranked[0][0]]
        if not best or not best[0][0]:
            return None
        _, name, keys = min(best, key=lambda entry: entry[1])
        network = self.by_labels(source, keys, (CLIQUE,) if CLIQUE not in keys else ())
        if len(ranked) > 1:
            others = f"topology: of {len(ranked)} Topologies the one named {name} is used"
            return Network(network.levels, network.source, (*network.problems, others))
        return network

    def _described(self, keys: LabelSet) -> int:
        """How many concerned nodes have the first label, if there is any level above the node."""
        above = [key for key in keys if key != HOSTNAME]
        if not above:
            return 0
        nodes = zip(self.snapshot.nodes, self.concerned.tolist(), strict=True)
        return sum(here and above[0] in node.labels for node, here in nodes)

    def _layers(self, found: tuple[CustomObject, ...]) -> Network | None:
        """Koordinator's ClusterNetworkTopology: layers that name their parents, and any of several labels."""
        chosen = min(found, key=lambda o: (o.name != "default", o.name))
        layers = tuple(_koordinator(chosen))
        if self._present().isdisjoint(key for keys in layers for key in keys):
            return None
        return self.by_any("koordinator", layers, (CLIQUE,))

    def _hyper(self, found: tuple[CustomObject, ...]) -> Network | None:
        hyper = hyper_levels(found, self.snapshot.nodes)
        if not hyper.names and not hyper.problems:
            return None
        levels, faults = self.levels(hyper.names, hyper.columns)
        return Network(levels, "volcano", (*hyper.problems, *faults))


def _node_labels(topology: CustomObject) -> LabelSet:
    return tuple(
        label
        for level in _mappings(topology.spec.get("levels"))
        if isinstance(label := level.get("nodeLabel"), str) and label
    )


def _koordinator(topology: CustomObject) -> Iterator[LabelSet]:
    """Label keys of each layer, top to bottom; layers without labels (the cluster, the node) are left out."""
    specs = {str(spec.get("topologyLayer")): spec for spec in _mappings(topology.spec.get("networkTopologySpec"))}
    parents = {str(spec.get("parentTopologyLayer") or "") for spec in specs.values()}
    at = next((name for name in specs if name not in parents), "")  # the lowest: nobody's parent
    chain: list[LabelSet] = []
    seen: set[str] = set()
    while at in specs and at not in seen:
        seen.add(at)
        keys = specs[at].get("labelKey")
        if isinstance(keys, list) and (labels := tuple(k for k in keys if isinstance(k, str) and k)):
            chain.append(labels)
        at = str(specs[at].get("parentTopologyLayer") or "")
    return reversed(chain)


def _mappings(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
