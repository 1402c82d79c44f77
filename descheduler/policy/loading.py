"""A policy file to a `Policy`, or to every problem that it has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic.main import IncEx

from descheduler.contract import EXECUTORS, PluginArgs, StrategyArgs
from descheduler.contract.registry import STRATEGIES
from descheduler.model.errors import PolicyError
from descheduler.model.meant import did_you_mean
from descheduler.policy.contradictions import contradictions
from descheduler.policy.marked_yaml import MAX_BYTES, Json, Loc, MarkedYaml
from descheduler.policy.policy import API_VERSION, KIND, Policy, StrategyChoice
from descheduler.policy.protections import Protections
from descheduler.policy.reader import Document, Reader, Told, short
from descheduler.policy.schema import policy_schema, schema_of
from descheduler.policy.v1alpha2 import V1ALPHA2, v1alpha2_policy
from descheduler.policy.written import WrittenPolicy

_NO_DECISION: Mapping[str, IncEx | bool] = {"mode": True, "report": {"archive_days", "archive_mib", "url"}}
_OF_A_USE = ("name", "protections", "reportOnly")  # what an item of `strategies` has beside the strategy


def load_policy(source: Path | str, name: str = "") -> Policy:
    """Read a policy from a file (a Path) or from its text (a str); `name` is what messages call it.

    Raises:
        PolicyError: with every problem, each as `file:line:column: path: message`, in the order of the text.
    """
    return written_policy(source, name).policy


def written_policy(source: Path | str, name: str = "", *, lenient: bool = False) -> WrittenPolicy:
    """The same with what there is to say of it: the format of the Kubernetes SIG's descheduler is read too.

    `lenient`: keys that its own loader ignores are warnings, not problems. Raises PolicyError.
    """
    name = name or (str(source) if isinstance(source, Path) else "policy")
    document = MarkedYaml(policy_text(source) if isinstance(source, Path) else source)
    if isinstance(document.data, dict) and document.data.get("apiVersion") == V1ALPHA2:
        return v1alpha2_policy(document, lambda problem: problem.text(name), lenient=lenient)
    reading = _Reading(document)
    policy = reading.policy(lambda problem: problem.text(name))
    return WrittenPolicy(policy, warnings=reading.doubted(lambda problem: problem.text(name)))


def policy_of(document: Document, told: Told) -> Policy:
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


def policy_hash(policy: Policy) -> str:
    """12 hexadecimal digits that change when the meaning changes, not with comments or order of keys.

    The mode is left out: a plan made dry and one carried out come from the same decision; and where plans are kept.
    Nor do arguments count that nobody gave.
    """
    data = policy.model_dump(mode="json", by_alias=True, exclude=_NO_DECISION)
    for unwritten in ("executors", "executorRules"):
        if not data["acting"][unwritten]:
            del data["acting"][unwritten]
    for one in data["strategies"]:
        if one["protections"] is None:
            del one["protections"]
        if not one["reportOnly"]:
            del one["reportOnly"]
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


class _Reading(Reader):
    """A document of our own format."""

    def policy(self, told: Told) -> Policy:
        data = self.document.data
        policy: Policy | None = None
        if isinstance(data, dict) and self._is_ours(data):
            rest = {key: value for key, value in data.items() if key != "strategies"}
            choices = self._strategies(data.get("strategies"))
            executors = self._executors(data.get("acting"))
            if isinstance(acting := data.get("acting"), dict):
                rest["acting"] = {key: value for key, value in acting.items() if key != "executors"}
            policy = self.validated(Policy, rest, (), policy_schema())
            if policy is not None:
                self._pools(policy, choices)
                update: dict[str, object] = {"strategies": tuple(c for _, c in choices)}
                if executors:
                    update["acting"] = policy.acting.model_copy(update={"executors": executors})
                policy = policy.model_copy(update=update)
        elif not self.problems:
            self.add((), "must be a mapping")
        self.fail(told)
        assert policy is not None  # else there was a problem
        for loc, message in contradictions(policy):
            self.doubt(loc, message)
        return policy

    def _is_ours(self, data: dict[str, Json]) -> bool:
        """A document of another kind has one problem, not fifty."""
        for key, wanted in (("kind", KIND), ("apiVersion", API_VERSION)):
            if key not in data:
                self.add((), f"{key} is required: {key}: {wanted}")
            elif data[key] != wanted:
                self.add((key,), f"must be {wanted}, not {short(data[key])}{_foreign(data[key])}", at_value=True)
        return data.get("kind") == KIND and data.get("apiVersion") == API_VERSION

    def _strategies(self, written: Json) -> list[tuple[int, StrategyChoice]]:
        if written is None:
            return []
        if not isinstance(written, list):
            self.add(("strategies",), "must be a list, each item with one strategy: `- HotNodes: {}`", at_value=True)
            return []
        out: list[tuple[int, StrategyChoice]] = []
        first: dict[str, int] = {}
        for i, item in enumerate(written):
            choice = self._strategy(item, i)
            if choice is None:
                continue
            if choice.name in first:
                also = f"strategies[{first[choice.name]}] is named {choice.name} too: give one of them another name"
                self.add(("strategies", i), also)
            first.setdefault(choice.name, i)
            out.append((i, choice))
        return out

    def _strategy(self, item: Json, position: int) -> StrategyChoice | None:
        loc: Loc = ("strategies", position)
        if not isinstance(item, dict):
            self.add(loc, "must be a mapping with one strategy: `- HotNodes: {}`")
            return None
        names = [key for key in item if key not in _OF_A_USE]
        label = item.get("name", names[0] if names else "")
        if not isinstance(label, str) or ("name" in item and not label):
            self.add((*loc, "name"), "must be a text and not empty", at_value=True)
        if len(names) != 1:
            self.add(loc, f"must name one strategy, not {', '.join(names) or 'none'}")
        args = [(name, self.arguments(item[name], name, (*loc, name), STRATEGIES, "strategy")) for name in names]
        own: Protections | None = None
        if item.get("protections") is not None:
            own = self.validated(Protections, item["protections"], (*loc, "protections"), schema_of(Protections))
        reported = item.get("reportOnly", False)
        if not isinstance(reported, bool):
            self.add((*loc, "reportOnly"), "must be true or false", at_value=True)
        if len(args) != 1 or not isinstance(args[0][1], StrategyArgs) or not isinstance(label, str):
            return None
        return StrategyChoice(
            name=label, strategy=args[0][0], args=args[0][1], protections=own, report_only=reported is True
        )

    def _executors(self, acting: Json) -> dict[str, PluginArgs]:
        """The arguments of executors, and whether those that are to act are installed."""
        if not isinstance(acting, dict):
            return {}
        self._installed(acting.get("executor"), ("acting", "executor"))
        rules = acting.get("executorRules")
        for i, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict):
                self._installed(rule.get("executor"), ("acting", "executorRules", i, "executor"))
        loc: Loc = ("acting", "executors")
        written = acting.get("executors", {})
        if not isinstance(written, dict):
            self.add(loc, "must be a mapping: `reserve: {}`", at_value=True)
            return {}
        found = {n: self.arguments(one, n, (*loc, n), EXECUTORS, "executor") for n, one in written.items()}
        return {name: args for name, args in found.items() if args is not None}

    def _installed(self, written: Json, at: Loc) -> None:
        """Whether the executors of one order are."""
        if isinstance(written, str):
            self.plugin(written, at, EXECUTORS, "executor", at_value=True)
        for i, one in enumerate(written if isinstance(written, list) else ()):
            if isinstance(one, str) and one:
                self.plugin(one, (*at, i), EXECUTORS, "executor", at_value=True)

    def _pools(self, policy: Policy, choices: list[tuple[int, StrategyChoice]]) -> None:
        """Pools that strategies name in an argument `pools`: a misspelt one would silently be no pool."""
        for position, choice in choices:
            for pool in getattr(choice.args, "pools", None) or ():
                if pool in policy.pool_names:
                    continue
                loc: Loc = ("strategies", position, choice.strategy, "pools")
                at = (*loc, pool) if self.document.has((*loc, pool)) else loc
                self.add(at, f"no pool is named {pool}{did_you_mean(str(pool), policy.pool_names)}")


def _foreign(version: Json) -> str:
    if isinstance(version, str) and version.startswith("descheduler/"):
        return f" (of the Kubernetes SIG's descheduler {V1ALPHA2} is read, and older formats are not, as there)"
    return ""
