"""Selectors of devices: expressions in CEL over `device.driver`, `device.attributes` and `device.capacity`
(k8s.io/dynamic-resource-allocation/cel/compile.go).

What only a newer or another CEL can read is refused when it is compiled: then nobody says which devices it chooses.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import cel

from descheduler.model.dra import PooledDevice
from descheduler.model.fence import Unreadable, shortened
from descheduler.scheduler.claims.cel_functions import FUNCTIONS, quantity, version
from descheduler.scheduler.claims.cel_macros import STRING, in_core_words
from descheduler.scheduler.claims.failures import SelectorFailed

logging.getLogger("cel").setLevel(logging.CRITICAL)  # what fails in a function comes back as the failure of a selector

_NATIVE = """
!_ @in @not_strictly_false -_ _!=_ _%_ _&&_ _*_ _+_ _-_ _/_ _<=_ _<_ _==_ _>=_ _>_ _?_:_ _[_] _||_
bool bytes contains double duration endsWith int matches size startsWith string timestamp type uint
hasValue none of or orValue value
"""
_SUPPORTED = frozenset(_NATIVE.split()) | FUNCTIONS.keys()
_WORD = re.compile(r"[A-Za-z_]\w*")
# Of these it cannot be said by their words which attributes they look at.
_LOOKS_AT_ALL = re.compile(r"\.(?:all|exists|exists_one|existsOne|map|filter)\s*\(|size\s*\(|\\|\+|replace|join|Ascii")
# The map of all domains has an answer for every domain, which a map of ours has for those that are named.
_WITHOUT_DOMAIN = re.compile(r"device\s*\.\s*(?:attributes|capacity)\s*(?![\s\[])")


class Selector:
    """One expression. Raises Unreadable when it is made of one that cannot be judged."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        if not expression:
            raise Unreadable("", "a selector is not in CEL, or was left out of the recording")
        if _WITHOUT_DOMAIN.search(STRING.sub('""', expression)):
            raise self._beyond("uses attributes or capacity other than by domain")
        try:
            self._program = cel.compile(in_core_words(expression))
        except ValueError as error:
            raise self._beyond("cannot be read") from error
        unknown = set(self._program.functions()) - _SUPPORTED
        if unknown:
            raise self._beyond(f"uses {', '.join(sorted(unknown))}")
        self._domains = tuple(dict.fromkeys(text[1:-1] for text in STRING.findall(expression)))
        self._words = None if _LOOKS_AT_ALL.search(expression) else frozenset(_WORD.findall(expression))
        self._known: dict[tuple[object, ...], bool | str] = {}
        self._context = cel.Context({}, dict(FUNCTIONS))

    def _beyond(self, why: str) -> Unreadable:
        return Unreadable("", f"selector {shortened(self.expression, 80)!r} {why}, which is not supported")

    def matches(self, driver: str, device: PooledDevice) -> bool:
        """Whether it chooses a device. Raises SelectorFailed."""
        look = (driver, device.shareable, *self._seen(device.attributes), *self._seen(device.capacity))
        found = self._known.get(look)
        if found is None:
            found = self._known[look] = self._judged(driver, device)
        if isinstance(found, str):
            raise SelectorFailed(found)
        return found

    def _seen(self, values: Mapping[str, object]) -> Iterator[object]:
        words = self._words
        for name, value in values.items():
            if words is None or name.rpartition("/")[2] in words:
                yield name
                yield value

    def _judged(self, driver: str, device: PooledDevice) -> bool | str:
        try:
            self._context.add_variable("device", self._value(driver, device))
            answer = self._program.execute(self._context)
        except Exception as error:  # noqa: BLE001  the library raises what Python has for each kind of fault
            return f"selector {shortened(self.expression, 80)!r} fails: {shortened(str(error), 120)}"
        if isinstance(answer, bool):
            return answer
        return f"selector {shortened(self.expression, 80)!r} gives no truth value"

    def _value(self, driver: str, device: PooledDevice) -> dict[str, Any]:
        attributes: dict[str, dict[str, Any]] = {name: {} for name in self._domains}
        capacity: dict[str, dict[str, Any]] = {name: {} for name in self._domains}
        for name, attribute in device.attributes.items():
            domain, key = _qualified(name, driver)
            if not attribute.kind:
                raise ValueError(f"attribute {name} has a value of an unknown kind")
            value = attribute.value
            attributes.setdefault(domain, {})[key] = version(str(value)) if attribute.kind == "version" else value
        for name, found in device.capacity.items():
            domain, key = _qualified(name, driver)
            capacity.setdefault(domain, {})[key] = quantity(found.value)
        return {
            "driver": driver,
            "allowMultipleAllocations": device.shareable,
            "attributes": attributes,
            "capacity": capacity,
        }


def _qualified(name: str, driver: str) -> tuple[str, str]:
    domain, slash, key = name.partition("/")
    return (domain, key) if slash else (driver, name)
