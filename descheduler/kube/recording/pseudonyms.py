"""Pseudonyms: a name is replaced word by word, each word by a keyed hash of itself (`web-7d8f` by `xk3…-xq8…`).

So all that names are made of stays true without a table: a claim's name ends with its pod's, selectors match, and
`namespace/name` resolves. A number is a word like any other, for addresses and card numbers are made of them; only
where a StatefulSet numbers its pods does it stay.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable

from descheduler.kube.recording import public_names as public
from descheduler.kube.recording.field_rules import Holds

_TOKEN = re.compile(r"""[^\s/,;:|\[\](){}"'=@<>&?]+""")
_MODEL = re.compile(r"""[^\s/,;:|\[\](){}"'=@<>&?._+-]+""")
_GAP = re.compile(r"([-._]+)")
_ORDINAL = re.compile(r"[0-9]{1,6}", re.ASCII)
_FORMS = {
    Holds.QUANTITY: re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]{1,9})?([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?"),
    Holds.TIME: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"),
    Holds.DURATION: re.compile(r"[+-]?([0-9]{1,9}(\.[0-9]{1,9})?(ns|us|µs|μs|ms|s|m|h|d|w))+"),
    Holds.NUMBER: re.compile(r"-?[0-9]{1,10}(\.[0-9]{1,9})?%?"),
    Holds.PER_CENT: re.compile(r"[0-9]{1,3}%"),
    Holds.INDICES: re.compile(r"[0-9]{1,4}(-[0-9]{1,4})*"),
    Holds.PROFILE: re.compile(r"(all-)?[0-9]{1,2}[gc]\.[0-9]{1,3}gb(\+me|\.me)?|all-disabled|all-enabled|all-balanced"),
}
_DEVICE = re.compile(r"(?:(.*[^0-9-])-?)?([0-9]{1,3})((?:-mig(?:-[0-9]{1,3}){1,3})?)", re.DOTALL)
_INDEX = re.compile(r"[0-9]{1,4}(::[0-9]{1,4})?")  # of a device, as the kubelet names one
_SIZE = re.compile(r"[1-9][0-9]{0,2}(g|c|gb|gib)")
_MIG = re.compile(r"mig-[1-9]g\.[0-9]{1,3}gb(\.me)?(\.shared)?")
_HUGE = re.compile(r"hugepages-[0-9]{1,4}[KMG]i")
_VERSION = re.compile(r"v[0-9]{1,2}((alpha|beta)[0-9]{1,2})?")
_OF_CLASS = re.compile(r"(.+?)(\.(?:storageclass|volumeattributesclass)\.storage\.k8s\.io/)(.+)")
_FEW = 12  # digits of a number in a row of devices


_SELECTOR_WORD = re.compile(r"[^\W\d][\w.-]*|\d+|[^\x00-\x7f]+")


class Pseudonyms:
    """Pseudonyms under one secret `key`; with the same key the same names give the same pseudonyms.

    `keep`: names and keys of labels that stay, because whoever records says so.
    """

    def __init__(self, key: bytes, keep: Iterable[str] = ()) -> None:
        self._key = key[:64]
        self._kept = public.VALUES | frozenset(keep)
        self._words: dict[str, str] = {}
        self._numbered: set[str] = set()
        self._compared: dict[str, tuple[int, int]] = {}

    def number(self, stems: Iterable[str]) -> None:
        """Keep the numbers that follow these names (`web-0` of the StatefulSet `web`)."""
        self._numbered.update(stems)

    def compare(self, keys: Iterable[str]) -> None:
        """Numbers that are values of these labels stay numbers, and in their order; each key has its own scale."""
        for key in set(keys) - public.KEYS:
            digest = self._digest(f"scale of {key}", 8)
            self._compared[key] = (2 + int.from_bytes(digest[:2], "big") % 997, int.from_bytes(digest[2:5], "big"))

    def scaled(self, key: str, value: str) -> str | None:
        """The number in the place of one by which nodes are compared; None where there is no comparing."""
        scale = self._compared.get(key)
        if scale is None or not re.fullmatch(r"-?[0-9]{1,12}", value):
            return None
        return str(int(value) * scale[0] + scale[1])

    def text(self, text: str) -> str:
        """A text with every name in it replaced."""
        if text in self._kept:
            return text
        return _TOKEN.sub(lambda found: self._token(found.group()), text)

    def of(self, holds: Holds, text: str) -> str:
        """A text that holds something of which more may stay."""
        form = _FORMS.get(holds)
        if form is not None:
            return text if form.fullmatch(text) else self.text(text)
        match holds:
            case Holds.ENUM:
                return text if text in public.ENUMS else self.text(text)
            case Holds.KIND:
                return text if text in public.KIND_NAMES else self.text(text)
            case Holds.API_VERSION:
                group, slash, version = text.rpartition("/")
                return f"{self.group(group)}{slash}{version if _VERSION.fullmatch(version) else self.text(version)}"
            case Holds.KEY:
                return self.key(text)
            case Holds.MODEL:
                return _MODEL.sub(lambda found: self._model(found.group()), text)
            case Holds.DEVICE:
                return self._device(text)
            case Holds.RESOURCE:
                return self.resource(text)
            case Holds.GIVEN:
                where, slash, device = text.rpartition("/")
                if slash:
                    return f"{self.text(where)}/{self._device(device)}"
                return text if _INDEX.fullmatch(text) else self.text(text)
            case Holds.ROWS:
                return self._rows(text)
            case Holds.SELECTOR:
                # With another word in it, nobody could say any more what it chooses.
                return text if all(word in public.SELECTOR_WORDS for word in _SELECTOR_WORD.findall(text)) else ""
            case _:
                return self.text(text)

    def group(self, group: str) -> str:
        """An API group."""
        return group if group in public.GROUPS else self._domain(group)

    def key(self, key: str) -> str:
        """The key of a label, taint or annotation."""
        if key in public.KEYS or key in self._kept:
            return key
        for start, end in public.KEY_ENDS.items():
            if key.startswith(start) and key.endswith(end) and len(key) > len(start) + len(end):
                return f"{start}{self.text(key[len(start) : len(key) - len(end)])}{end}"
        domain, slash, name = key.partition("/")
        return f"{self._domain(domain)}/{self.text(name)}" if slash else self.text(key)

    def resource(self, resource: str) -> str:
        """The name of a resource, or a quota's name for it; `<domain>/gpu` stays recognisable."""
        if of_class := _OF_CLASS.fullmatch(resource):
            return f"{self.text(of_class[1])}{of_class[2]}{self._asked(of_class[3])}"
        return self._asked(resource)

    def _asked(self, resource: str) -> str:
        prefix = next((start for start in ("requests.", "limits.") if resource.startswith(start)), "")
        name = resource.removeprefix(prefix)
        if name in public.RESOURCES or name in public.COUNTED or _HUGE.fullmatch(name):
            return resource
        if name.startswith("count/"):
            plural, dot, group = name.removeprefix("count/").partition(".")
            known = plural in public.COUNTED and (not group or group in public.GROUPS)
            return resource if known else f"{prefix}count/{self.text(plural)}{dot}{self._domain(group)}"
        domain, slash, name = name.partition("/")
        if not slash:
            return prefix + self.text(domain)
        kept = domain == "nvidia.com" and _MIG.fullmatch(name)
        return f"{prefix}{self._domain(domain)}/{name if kept else self.text(name)}"

    def _domain(self, domain: str) -> str:
        if domain in public.DOMAINS:
            return domain
        native = next((end for end in public.NATIVE_DOMAINS if domain == end or domain.endswith(f".{end}")), "")
        return self.text(domain.removesuffix(native)) + native

    def _token(self, token: str) -> str:
        if token in self._kept:
            return token
        parts = _GAP.split(token)
        return "".join(
            part if i % 2 or self._is_ordinal(parts, i) else self._word(part) for i, part in enumerate(parts)
        )

    def _is_ordinal(self, parts: list[str], at: int) -> bool:
        """Whether the word at a place is the number that a StatefulSet gave to its pod, whose name begins before it."""
        if at < 2 or parts[at - 1] != "-" or not self._numbered or not _ORDINAL.fullmatch(parts[at]):
            return False
        return any("".join(parts[start : at - 1]) in self._numbered for start in range(0, at - 1, 2))

    def _word(self, word: str) -> str:
        if not word or word in public.WORDS:
            return word
        made = self._words.get(word)
        if made is None:
            # A letter first, so that a word cannot turn into a number. Of a million words no two will be one.
            made = base64.b32encode(self._digest(word, 10)).decode().lower()
            made = self._words[word] = f"x{made}"
        return made

    def _digest(self, text: str, size: int) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=size).digest()

    def _model(self, word: str) -> str:
        small = word.lower()
        return word if small in public.MODEL_WORDS or _SIZE.fullmatch(small) else self._word(word)

    def _device(self, name: str) -> str:
        """A device of a pool, whose number in its name says which GPU it is."""
        numbered = _DEVICE.fullmatch(name)
        if numbered is None:
            return self.text(name)
        stem, number, part = numbered.groups()
        return f"{self.text(stem)}-{number}{part}" if stem else name

    def _rows(self, text: str) -> str:
        """Rows of devices: numbers and models stay, but for the first column, which names the device."""
        out: list[str] = []
        for row in re.split(r"([:;])", text):
            name, *rest = row.split(",")
            kept = (one if one.isascii() and one.isdigit() and len(one) <= _FEW else self._told(one) for one in rest)
            out.append(",".join((self.text(name), *kept)))
        return "".join(out)

    def _told(self, text: str) -> str:
        return text if text in self._kept else self.of(Holds.MODEL, text)
