"""How nodes are connected, and the GPUs within them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.naming import NodeLabel
from descheduler.policy.section import Section
from descheduler.policy.selecting import Name
from descheduler.topology.links import PCIE4

Bandwidth = Annotated[float, Field(ge=0.0, le=10_000.0)]


class LinkTable(Section):
    """Links between the GPUs of one model, in GB/s in one direction."""

    model: Name
    """Pattern over the model's name (`*V100-SXM2*`), in small letters or not."""
    matrix: tuple[tuple[Bandwidth, ...], ...] = ()
    """Bandwidth between any two GPUs of a node, in the order of their indices; 0: only PCIe."""
    flat: Bandwidth = 0.0
    """The same bandwidth between all, instead of a matrix."""
    pcie: Annotated[float, Field(gt=0.0, le=10_000.0)] = PCIE4
    """Bandwidth of PCIe, which counts where there is no other link."""
    devices: int = Field(default=0, ge=0, le=16)
    """Only for nodes with so many GPUs; 0: all."""

    @model_validator(mode="after")
    def _is_square_and_symmetric(self) -> Self:
        size = len(self.matrix)
        if size and self.flat:
            raise ValueError("a table has a matrix or is flat, not both")
        if size > 16:
            raise ValueError("a matrix has at most 16 rows")
        if any(len(row) != size for row in self.matrix):
            raise ValueError("a matrix has as many columns as rows")
        if any(self.matrix[i][j] != self.matrix[j][i] for i in range(size) for j in range(i)):
            raise ValueError("a matrix is symmetric: a link is as wide there as back")
        return self


class TopologyPolicy(Section):
    """Levels of the network above the nodes, and links between the GPUs inside of them."""

    network: Literal[
        "auto", "kueue", "kai", "volcano", "koordinator", "topograph", "aws", "gcp", "oci", "clique", "generic", "none"
    ] = "auto"
    """Who tells the levels; `auto`: the first of these that the cluster has."""
    labels: tuple[NodeLabel, ...] = Field(default=(), max_length=16)
    """Node labels of the levels, top to bottom, instead of what `network` finds."""
    links: tuple[LinkTable, ...] = ()
    """Links of models that the built-in table does not have, or has otherwise; the first that matches counts."""
