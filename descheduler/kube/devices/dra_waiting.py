"""How many GPUs pods wait for that ask for them by resource claims.

Whether a class is one of GPUs is told by its selectors: they name the driver. Which devices it chooses exactly the
scheduler's rules say when a node is looked for; here it is only a matter of how much room they need.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from descheduler.model.dra import ClaimSpec, DeviceClass, DeviceRequest, ResourceClaim, ResourceClaimTemplate
from descheduler.model.pods import Pod

_A_PART = re.compile(r"""["']mig["']""")
Key = tuple[str, str]
"""(namespace, name)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What claims and templates ask for, and the classes that they name; `drivers` are those of GPUs here."""

    claims: Mapping[Key, ResourceClaim]
    templates: Mapping[Key, ResourceClaimTemplate]
    classes: Mapping[str, DeviceClass]
    drivers: Collection[str]

    def waiting(self, pods: Sequence[Pod]) -> dict[int, dict[str, int]]:
        """By position of the pods without a node: whole devices of which driver. Of alternatives the first counts."""
        found: dict[int, dict[str, int]] = {}
        for i, pod in enumerate(pods):
            if pod.spec.resource_claims and not pod.node and not pod.terminal:
                counts: Counter[str] = Counter()
                for spec in self._specs(pod):
                    for ask in spec.asks:
                        counts.update(self._devices(ask.options[0]))
                if counts:
                    found[i] = dict(counts)
        return found

    def _specs(self, pod: Pod) -> list[ClaimSpec]:
        """Of the claims that are not allocated yet."""
        made = len(pod.device_claims) == len(pod.spec.resource_claims)
        out: list[ClaimSpec] = []
        for at, one in enumerate(pod.spec.resource_claims):
            claim = self.claims.get((pod.namespace, pod.device_claims[at] if made else one.claim))
            if claim is None:
                template = self.templates.get((pod.namespace, one.template))
                out += [template.asked] if template is not None else []
            elif not claim.allocated:
                out.append(claim.asked)
        return out

    def _devices(self, request: DeviceRequest) -> dict[str, int]:
        found = self.classes.get(request.device_class)
        if found is None or request.count is None or request.admin or request.capacity:
            return {}
        texts = (*found.selectors, *request.selectors)
        if any(_A_PART.search(text) for text in texts):
            return {}
        driver = next((name for name in sorted(self.drivers) if any(name in text for text in texts)), "")
        return {driver: request.count} if driver else {}
