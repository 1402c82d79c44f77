"""Who has which devices, in one state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from descheduler.model.dra import Amounts, ClaimedDevice
from descheduler.scheduler.claims.pools import DeviceKey, PoolKey


@dataclass(frozen=True, slots=True)
class Use:
    """What is taken of one device: how many claims have all of it (more than one only where a state is overfull), how
    many share it, and what these consume."""

    whole: int = 0
    shares: int = 0
    consumed: Amounts = ()

    @property
    def any(self) -> bool:
        return bool(self.whole or self.shares)

    def changed(self, one: ClaimedDevice, sign: int) -> Use:
        """With one holder more, or less."""
        if not one.shared:
            return replace(self, whole=self.whole + sign)
        amounts = dict(self.consumed)
        for name, value in one.consumed:
            amounts[name] = amounts.get(name, Decimal(0)) + sign * value
        left = tuple(sorted((name, value) for name, value in amounts.items() if value))
        return Use(self.whole, self.shares + sign, left)


FREE = Use()


class Uses:
    """The use of every device. Copies share what neither has changed."""

    def __init__(self, base: Mapping[DeviceKey, Use], changed: dict[PoolKey, dict[DeviceKey, Use]]) -> None:
        self._base, self._changed = base, changed

    @staticmethod
    def of(devices: Iterable[ClaimedDevice]) -> Uses:
        found: dict[DeviceKey, Use] = defaultdict(lambda: FREE)
        for one in devices:
            if not one.admin:
                key = (one.driver, one.pool, one.device)
                found[key] = found[key].changed(one, 1)
        return Uses(dict(found), {})

    def fork(self) -> Uses:
        return Uses(self._base, dict(self._changed))

    def __getitem__(self, key: DeviceKey) -> Use:
        found = self._changed.get(key[:2])
        if found is not None and key in found:
            return found[key]
        return self._base.get(key, FREE)

    def shift(self, devices: Iterable[ClaimedDevice], sign: int) -> None:
        """These devices are taken (1), or given back (-1)."""
        for one in devices:
            if one.admin:
                continue
            key = (one.driver, one.pool, one.device)
            now = self[key].changed(one, sign)
            pool = dict(self._changed.get(key[:2], {}))
            if now == self._base.get(key, FREE):
                pool.pop(key, None)
            else:
                pool[key] = now
            if pool:
                self._changed[key[:2]] = pool
            else:
                self._changed.pop(key[:2], None)

    @property
    def touched(self) -> Iterable[PoolKey]:
        """Pools in which anything is other than in the snapshot."""
        return self._changed.keys()

    def mark(self, pools: Iterable[PoolKey]) -> tuple[object, ...]:
        """What tells two states of these pools apart; empty as in the snapshot."""
        return tuple((key, *sorted(self._changed[key].items())) for key in pools if key in self._changed)
