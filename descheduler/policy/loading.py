"""A policy file to a `Policy`, or to every problem that it has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from descheduler.contract import EXECUTORS, PluginArgs, StrategyArgs
from descheduler.contract.registry import STRATEGIES, Registry
from descheduler.model.errors import DeschedulerError, PolicyError
from descheduler.policy.hints import allowed_words, did_you_mean, known_keys, sentence
from descheduler.policy.marked_yaml import MAX_BYTES, Json, Loc, Mark, MarkedProblem, MarkedYaml, path_of
from descheduler.policy.policy import API_VERSION, KIND, Policy, StrategyChoice
from descheduler.policy.schema import policy_schema, schema_of

Model = TypeVar("Model", bound=BaseModel)
_DEFAULT = "default.yaml"
_SHOWN = 80  # characters of a wrong value in a message


def load_policy(source: Path | str, name: str = "") -> Policy:
    """Read a policy from a file (a Path) or from its text (a str); `name` is what messages call it.

    Raises:
        PolicyError: with every problem, each as `file:line:column: path: message`, in the order of the text.
    """
    name = name or (str(source) if isinstance(source, Path) else "policy")
    text = policy_text(source) if isinstance(source, Path) else source
    return policy_of(MarkedYaml(text), lambda problem: problem.text(name))


class Document(Protocol):
    """A policy as data, and where in a text its values are."""

    @property
    def data(self) -> Json: ...
    @property
    def problems(self) -> Sequence[MarkedProblem]: ...
    def mark(self, loc: Loc) -> Mark: ...
    def value_mark(self, loc: Loc) -> Mark: ...
    def has(self, loc: Loc) -> bool: ...


def policy_of(document: Document, told: Callable[[MarkedProblem], str]) -> Policy:
    """The policy that a document holds.

    Raises:
        PolicyError: with every problem, as `told` puts it.
    """
    return _Reading(document).policy(told)


def written_mode(source: Path | str) -> str | None:
    """The `mode` that a policy gives, valid or not; None when it gives none.

    Raises:
        PolicyError: it cannot be told.
    """
    name = str(source) if isinstance(source, Path) else "policy"
    text = policy_text(source) if isinstance(source, Path) else source
    document = MarkedYaml(text.removeprefix("\ufeff"))
    doubtful = [problem for problem in document.problems if problem.path in ("", "mode")]
    if doubtful or not isinstance(document.data, dict):
        raise PolicyError(tuple(problem.text(name) for problem in doubtful) or (f"{name}: must be a mapping",))
    mode = document.data.get("mode")
    return None if mode is None else str(mode)


def default_policy_text() -> str:
    """The default policy as commented YAML: every setting with its default."""
    return files("descheduler.policy").joinpath(_DEFAULT).read_text(encoding="utf-8")


def default_policy() -> Policy:
    """What is used when the user gives no policy."""
    return load_policy(default_policy_text(), _DEFAULT)


def policy_hash(policy: Policy) -> str:
    """12 hexadecimal digits that change when the meaning changes, not with comments or order of keys.

    The mode is left out: a plan made dry and one carried out come from the same decision. Nor do arguments count that
    nobody gave.
    """
    data = policy.model_dump(mode="json", by_alias=True, exclude={"mode"})
    if not policy.acting.executors:
        del data["acting"]["executors"]
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12]


def policy_text(path: Path) -> str:
    """The text of a policy file.

    Raises:
        PolicyError: it cannot be read, is no file (reading one of those might never end), or is not UTF-8 text.
    """
    try:
        if path.exists() and not path.is_file():
            raise PolicyError((f"{path}: is not a file",))
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1).decode("utf-8-sig")  # what is larger is told from one byte more
    except OSError as error:
        raise PolicyError((f"{path}: cannot be read: {error.strerror or error}",)) from error
    except UnicodeDecodeError as error:
        raise PolicyError((f"{path}: is not UTF-8 text (byte {error.start})",)) from error


class _Reading:
    """One document on its way to a policy, collecting problems."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems = list(document.problems)

    def policy(self, told: Callable[[MarkedProblem], str]) -> Policy:
        data = self.document.data
        policy: Policy | None = None
        if isinstance(data, dict) and self._is_ours(data):
            rest = {key: value for key, value in data.items() if key != "strategies"}
            choices = self._strategies(data.get("strategies"))
            executors = self._executors(data.get("acting"))
            if isinstance(acting := data.get("acting"), dict):
                rest["acting"] = {key: value for key, value in acting.items() if key != "executors"}
            policy = self._validated(Policy, rest, (), policy_schema())
            if policy is not None:
                self._pools(policy, choices)
                acts = policy.acting.model_copy(update={"executors": executors})
                policy = policy.model_copy(update={"strategies": tuple(c for _, c in choices), "acting": acts})
        elif not self.problems:
            self._add((), "must be a mapping")
        if self.problems or policy is None:
            raise PolicyError(tuple(dict.fromkeys(map(told, sorted(set(self.problems))))))
        return policy

    def _add(self, loc: Loc, message: str, *, at_value: bool = False) -> None:
        mark = self.document.value_mark(loc) if at_value else self.document.mark(loc)
        if any(mark == known.mark for known in self.document.problems):
            return  # the value is none, and that is told already
        self.problems.append(MarkedProblem(mark, path_of(loc), message))

    def _is_ours(self, data: dict[str, Json]) -> bool:
        """A document of another kind has one problem, not fifty."""
        for key, wanted in (("kind", KIND), ("apiVersion", API_VERSION)):
            if key not in data:
                self._add((), f"{key} is required: {key}: {wanted}")
            elif data[key] != wanted:
                self._add((key,), f"must be {wanted}, not {_short(data[key])}{_foreign(data[key])}", at_value=True)
        return data.get("kind") == KIND and data.get("apiVersion") == API_VERSION

    def _strategies(self, written: Json) -> list[tuple[int, StrategyChoice]]:
        if written is None:
            return []
        if not isinstance(written, list):
            self._add(("strategies",), "must be a list, each item with one strategy: `- HotNodes: {}`", at_value=True)
            return []
        out: list[tuple[int, StrategyChoice]] = []
        first: dict[str, int] = {}
        for i, item in enumerate(written):
            choice = self._strategy(item, i)
            if choice is None:
                continue
            if choice.name in first:
                also = f"strategies[{first[choice.name]}] is named {choice.name} too: give one of them another name"
                self._add(("strategies", i), also)
            first.setdefault(choice.name, i)
            out.append((i, choice))
        return out

    def _strategy(self, item: Json, position: int) -> StrategyChoice | None:
        loc: Loc = ("strategies", position)
        if not isinstance(item, dict):
            self._add(loc, "must be a mapping with one strategy: `- HotNodes: {}`")
            return None
        names = [key for key in item if key != "name"]
        label = item.get("name", names[0] if names else "")
        if not isinstance(label, str) or ("name" in item and not label):
            self._add((*loc, "name"), "must be a text and not empty", at_value=True)
        if len(names) != 1:
            self._add(loc, f"must name one strategy, not {', '.join(names) or 'none'}")
        args = [(name, self._arguments(item[name], name, (*loc, name), STRATEGIES, "strategy")) for name in names]
        if len(args) != 1 or not isinstance(args[0][1], StrategyArgs) or not isinstance(label, str):
            return None
        return StrategyChoice(name=label, strategy=args[0][0], args=args[0][1])

    def _arguments(self, written: Json, name: str, loc: Loc, registry: Registry[Any], noun: str) -> PluginArgs | None:
        plugin = self._plugin(name, loc, registry, noun)
        if plugin is None:
            return None
        if written is not None and not isinstance(written, dict):
            self._add(loc, "must be a mapping of arguments", at_value=True)
            return None
        return self._validated(plugin.Args, written or {}, loc, schema_of(plugin.Args))

    def _plugin(self, name: str, loc: Loc, registry: Registry[Any], noun: str, *, at_value: bool = False) -> Any:
        try:
            installed = registry.available()
            if name in installed:
                return registry.load(name)
            known = f"; installed: {', '.join(installed)}" if installed else ""
            self._add(loc, f"no {noun} is named {name}{did_you_mean(name, installed) or known}", at_value=at_value)
        except DeschedulerError as error:
            self._add(loc, str(error), at_value=at_value)
        return None

    def _executors(self, acting: Json) -> dict[str, PluginArgs]:
        """The arguments of executors, and whether those that are to act are installed."""
        if not isinstance(acting, dict):
            return {}
        at: Loc = ("acting", "executor")
        if isinstance(name := acting.get("executor"), str):
            self._plugin(name, at, EXECUTORS, "executor", at_value=True)
        for i, one in enumerate(name if isinstance(name, list) else ()):
            if isinstance(one, str) and one:
                self._plugin(one, (*at, i), EXECUTORS, "executor", at_value=True)
        loc: Loc = ("acting", "executors")
        written = acting.get("executors", {})
        if not isinstance(written, dict):
            self._add(loc, "must be a mapping: `reserve: {}`", at_value=True)
            return {}
        found = {n: self._arguments(one, n, (*loc, n), EXECUTORS, "executor") for n, one in written.items()}
        return {name: args for name, args in found.items() if args is not None}

    def _validated(self, model: type[Model], data: Json, base: Loc, schema: dict[str, Any]) -> Model | None:
        try:
            # As JSON: strict, and still a list may become a tuple.
            return model.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                self._invalid(found["type"], found["msg"], found.get("ctx", {}), found["loc"], base, schema)
            return None

    def _invalid(
        self, kind: str, message: str, context: dict[str, Any], loc: Loc, base: Loc, schema: dict[str, Any]
    ) -> None:
        """One error of the validator, put where it is in the text."""
        inside = self._written(loc, base)
        if kind == "extra_forbidden":
            hint = did_you_mean(str(inside[-1]), known_keys(schema, inside[:-1]))
            self._add((*base, *inside), f"is not a known key{hint}")
        elif kind in ("literal_error", "enum"):
            words = allowed_words(schema, inside)
            value = self._value((*base, *inside))
            hint = did_you_mean(str(value), words)
            text = f"must be one of {', '.join(words)}" if words else sentence(kind, message, context)
            self._add((*base, *inside), f"{text}, not {_short(value)}{hint}", at_value=True)
        elif kind == "missing":
            self._add((*base, *inside), sentence(kind, message, context))
        else:
            self._add((*base, *inside), sentence(kind, message, context), at_value=True)

    def _written(self, loc: Loc, base: Loc) -> Loc:
        """A validator's location without what is not in the text: tags of unions, `[key]` of mappings."""
        out: Loc = ()
        for i, part in enumerate(loc):
            if part == "[key]":
                continue
            if self.document.has((*base, *out, part)) or i == len(loc) - 1:
                out = (*out, part)
        return out

    def _value(self, loc: Loc) -> Json:
        value = self.document.data
        for part in loc:
            value = value[part] if isinstance(value, (dict, list)) else None  # type: ignore[index]
        return value

    def _pools(self, policy: Policy, choices: list[tuple[int, StrategyChoice]]) -> None:
        """Pools that strategies name in an argument `pools`: a misspelt one would silently be no pool."""
        for position, choice in choices:
            for pool in getattr(choice.args, "pools", None) or ():
                if pool in policy.pool_names:
                    continue
                loc: Loc = ("strategies", position, choice.strategy, "pools")
                at = (*loc, pool) if self.document.has((*loc, pool)) else loc
                self._add(at, f"no pool is named {pool}{did_you_mean(str(pool), policy.pool_names)}")


def _short(value: Json) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _foreign(version: Json) -> str:
    if isinstance(version, str) and version.startswith("descheduler/"):
        return " (that is a policy of the Kubernetes SIG's descheduler, whose format differs)"
    return ""
