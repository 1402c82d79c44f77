"""Links between the GPUs of one node by model, for clusters that report none: a table that a policy may extend.

Figures are GB/s in one direction: NVLink links of a generation times how many join two devices (or a device and the
switch), from NVIDIA's data sheets; PCIe x16 by generation. The 8-GPU V100 board is the hybrid cube mesh of the DGX-1
(NVIDIA DGX-1 with Tesla V100 System Architecture, and what `nvidia-smi topo -m` shows there): pairs share one NVLink,
two, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from descheduler.model.arrays import Floats

NVLINK2 = 25.0
PCIE3, PCIE4, PCIE5 = 16.0, 32.0, 64.0
ACROSS_SOCKETS = 10.0 / 12.0
"""What is left of a PCIe link's bandwidth across CPU sockets: SKL_QPI_BW over PCI_BW (nccl src/graph/topo.h)."""

_CUBE_MESH = (  # NVLinks between the GPUs of a DGX-1 with V100
    (0, 1, 1, 2, 2, 0, 0, 0),
    (1, 0, 2, 1, 0, 2, 0, 0),
    (1, 2, 0, 2, 0, 0, 1, 0),
    (2, 1, 2, 0, 0, 0, 0, 1),
    (2, 0, 0, 0, 0, 1, 1, 2),
    (0, 2, 0, 0, 1, 0, 2, 1),
    (0, 0, 1, 0, 1, 2, 0, 2),
    (0, 0, 0, 1, 2, 1, 2, 0),
)


@dataclass(frozen=True, slots=True)
class LinkRow:
    """Links of one model. `model` is a pattern (`*`, `?`) over its name, in small letters and with `-` for blanks.

    Either `matrix` (GB/s between any two devices, for the first so many of a node) or `flat`, the same between all.
    `pcie` is what is left where no such link is; alone, it makes the row one of PCIe cards. `devices` limits the row to
    nodes with so many (0: any).
    """

    model: str
    matrix: tuple[tuple[float, ...], ...] = ()
    flat: float = 0.0
    pcie: float = PCIE4
    devices: int = 0

    def fits(self, model: str, devices: int) -> bool:
        """Whether the row speaks of nodes with so many devices of the model."""
        return fnmatchcase(_plain(model), _plain(self.model)) and (
            self.devices in (0, devices) and (not self.matrix or devices <= len(self.matrix))
        )

    @property
    def cards(self) -> bool:
        """PCIe cards without links of their own: where they sit is what tells them apart."""
        return not self.matrix and not self.flat

    def links(self, devices: int) -> Floats:
        """[D, D] GB/s between the devices of a node that has so many."""
        if self.matrix:
            out = np.array(self.matrix, np.float64)[:devices, :devices]
            return np.where(out > 0, out, self.pcie)
        return np.full((devices, devices), self.flat or self.pcie)


def _plain(model: str) -> str:
    """Labels of nodes have `-` where drivers and exporters have blanks."""
    return model.lower().replace(" ", "-")


def _mesh(model: str) -> LinkRow:
    return LinkRow(model, tuple(tuple(n * NVLINK2 for n in row) for row in _CUBE_MESH), pcie=PCIE3)


TABLE: tuple[LinkRow, ...] = (
    LinkRow("*v100-pcie*", pcie=PCIE3),
    LinkRow("*v100s-*", pcie=PCIE3),
    LinkRow("*v100-fhhl*", pcie=PCIE3),
    LinkRow("*v100-sxm3*", flat=6 * NVLINK2, pcie=PCIE3),  # NVSwitch, 16 devices
    _mesh("*v100*"),
    LinkRow("*a100-pcie*", pcie=PCIE4),  # bridges between pairs, if any, are not told by the model
    LinkRow("*a800-pcie*", pcie=PCIE4),
    LinkRow("*a100*", flat=300.0, pcie=PCIE4),  # 12 links of NVLink 3
    LinkRow("*a800*", flat=200.0, pcie=PCIE4),
    LinkRow("*h100-pcie*", pcie=PCIE5),
    LinkRow("*h100-nvl*", pcie=PCIE5),
    LinkRow("*h200-nvl*", pcie=PCIE5),
    LinkRow("*h800-pcie*", pcie=PCIE5),
    LinkRow("*gh200*", flat=450.0, pcie=PCIE5),
    LinkRow("*h100*", flat=450.0, pcie=PCIE5),  # 18 links of NVLink 4
    LinkRow("*h200*", flat=450.0, pcie=PCIE5),
    LinkRow("*h20*", flat=450.0, pcie=PCIE5),
    LinkRow("*h800*", flat=200.0, pcie=PCIE5),
    LinkRow("*b200*", flat=900.0, pcie=PCIE5),  # also GB200
    LinkRow("*b300*", flat=900.0, pcie=PCIE5),
    LinkRow("*mi3??*", flat=64.0, pcie=PCIE5),  # AMD: one Infinity Fabric link between any two
    *(LinkRow(f"*{name}*", pcie=PCIE3) for name in ("t4", "p100", "p40", "p4")),
    *(LinkRow(f"*{name}*", pcie=PCIE4) for name in ("a10", "a16", "a2", "a30", "a40", "l4", "l40", "l20", "rtx")),
)
"""The first row that fits counts; a policy's rows come before these."""


def row_for(model: str, devices: int, rows: Sequence[LinkRow]) -> LinkRow | None:
    """The row that speaks of a node, None when the model is in no row."""
    return next((row for row in rows if row.fits(model, devices)), None) if model else None
