"""From a document of that format to our policy, or to every problem that it has.

What its own loader ignores silently is a problem here, and a warning with `lenient`: a limit with a typo would be none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from descheduler.contract import PluginArgs, StrategyArgs
from descheduler.contract.registry import STRATEGIES
from descheduler.model.meant import did_you_mean
from descheduler.policy.marked_yaml import Json, Loc, path_of
from descheduler.policy.policy import Policy, StrategyChoice
from descheduler.policy.protections import Protections
from descheduler.policy.reader import Document, Reader, Told
from descheduler.policy.schema import schema_of
from descheduler.policy.v1alpha2 import differences
from descheduler.policy.v1alpha2.evictor import NAME as EVICTOR
from descheduler.policy.v1alpha2.evictor import EvictorArgs, protections
from descheduler.policy.v1alpha2.file import PluginConfig, Plugins, Profile, V1Alpha2File
from descheduler.policy.v1alpha2.plugins import KNOWN, Point
from descheduler.policy.v1alpha2.plugins import STRATEGIES as PLUGINS
from descheduler.policy.v1alpha2.sections import sections
from descheduler.policy.written import WrittenPolicy

_IGNORED = "; the Kubernetes SIG's descheduler ignores it silently"


@dataclass(frozen=True, slots=True)
class _Use:
    """A strategy that a profile runs."""

    profile: str
    strategy: str
    args: StrategyArgs
    evictor: EvictorArgs


def v1alpha2_policy(document: Document, told: Told, *, lenient: bool = False) -> WrittenPolicy:
    """The policy that a document of that format amounts to.

    Raises:
        PolicyError: with every problem, as `told` puts it.
    """
    return _Reading(document, lenient=lenient).written(told)


class _Reading(Reader):
    """One document on its way."""

    def __init__(self, document: Document, *, lenient: bool) -> None:
        super().__init__(document)
        self._lenient = lenient
        self._unknown: set[Loc] = set()
        self._idle: list[str] = []  # plugins that are configured and do not run

    def written(self, told: Told) -> WrittenPolicy:
        file = self._file()
        uses = [use for i, one in enumerate(file.profiles or ()) for use in self._profile(one, i)] if file else []
        self.fail(told)
        assert file is not None  # else there was a problem
        policy = _policy(file, uses)
        return WrittenPolicy(
            policy,
            differs=differences.differs(file, policy, [use.evictor for use in uses]),
            general=differences.GENERAL,
            dropped=(*differences.dropped(file), *self._idle),
            warnings=self.doubted(told),
        )

    # -- the file without arguments --------------------------------------------------------

    def _file(self) -> V1Alpha2File | None:
        """The file by its model; without keys that nobody knows, which hide no other problem."""
        data, schema = _without_nulls(self.document.data), schema_of(V1Alpha2File)
        file = self.validated(V1Alpha2File, data, (), schema)
        if file is None and self._unknown:
            file = self.validated(V1Alpha2File, _without(data, self._unknown), (), schema)
        return file

    def unknown_key(self, loc: Loc, hint: str) -> None:
        if _of_arguments(loc):
            super().unknown_key(loc, hint)
            return
        self._unknown.add(loc)
        self._ignored(loc, f"is not a known key{self._belongs(loc) or hint}")

    def _belongs(self, loc: Loc) -> str:
        """Where a key was meant that is written one place too far out, or that need not be written."""
        if len(loc) == 5 and loc[2] == "pluginConfig":
            of = self.value((*loc[:4], "name"))
            model = EvictorArgs if of == EVICTOR else self._arguments_of(of)
            if model is not None and any(field.alias == loc[4] for field in model.model_fields.values()):
                return " here (it belongs under args)"
        return f" ({EVICTOR} is enabled by itself)" if loc[-1] == "evictor" else ""

    def _arguments_of(self, plugin: Json) -> type[PluginArgs] | None:
        return STRATEGIES.load(plugin).Args if isinstance(plugin, str) and plugin in PLUGINS else None

    def _ignored(self, loc: Loc, message: str) -> None:
        """Something that has no effect with the original: whoever wrote it thinks that it has."""
        if self._lenient:
            self.doubt(loc, f"{message}{_IGNORED}")
        else:
            self.add(loc, f"{message}{_IGNORED} (--lenient lets it pass)")

    # -- profiles --------------------------------------------------------------------------

    def _profile(self, profile: Profile, at: int) -> Iterator[_Use]:
        """The uses of strategies that it makes."""
        loc: Loc = ("profiles", at)
        configured = self._configured(profile.plugin_config or (), loc)
        evictor = EvictorArgs()
        if EVICTOR in configured:
            place = (*loc, "pluginConfig", configured[EVICTOR][0], "args")
            evictor = self._evictor(configured[EVICTOR][1], place) or evictor
        enabled = list(self._enabled(profile.plugins or Plugins(), loc))
        for name, place in enabled:
            args = self._strategy_arguments(name, configured, place, loc)
            if isinstance(args, StrategyArgs):
                yield _Use(profile.name or f"profile {at + 1}", name, args, evictor)
        running = {EVICTOR, *(name for name, _ in enabled)}
        for name in (name for name in configured if name not in running and name in PLUGINS):
            self._strategy_arguments(name, configured, loc, loc)
            self._idle.append(f"{profile.name or f'profile {at + 1}'}: {name} is configured and not enabled")

    def _configured(self, configs: Sequence[PluginConfig], loc: Loc) -> dict[str, tuple[int, PluginConfig]]:
        """By plugin, where its arguments are, and these."""
        out: dict[str, tuple[int, PluginConfig]] = {}
        for i, config in enumerate(configs):
            place = (*loc, "pluginConfig", i, "name")
            if config.name not in KNOWN:
                self._no_plugin(config.name, place)
            elif config.name in out:
                first = path_of((*loc, "pluginConfig", out[config.name][0]))
                self._ignored(place, f"{config.name} is configured twice in this profile, first by {first}")
            else:
                out[config.name] = (i, config)
        return out

    def _no_plugin(self, name: str, loc: Loc) -> None:
        hint = did_you_mean(name, KNOWN) or f"; there are {', '.join(KNOWN)}"
        self.add(loc, f"no plugin is named {name}{hint}", at_value=True)

    def _evictor(self, config: PluginConfig, loc: Loc) -> EvictorArgs | None:
        args = self.validated(EvictorArgs, _arguments(config), loc, schema_of(EvictorArgs))
        for place, why in args.idle() if args is not None else ():
            self._ignored((*loc, *place), why)
        return args

    def _enabled(self, plugins: Plugins, loc: Loc) -> Iterator[tuple[str, Loc]]:
        """The strategies that run, and where that is said."""
        seen: set[str] = set()
        for point, chosen in plugins:
            place: Loc = (*loc, "plugins", point)
            if chosen is None:
                continue
            if chosen.disabled:
                self._ignored((*place, "disabled"), "has no effect: leave out of enabled what shall not run")
            if point in ("presort", "sort") and chosen.enabled:
                self._ignored((*place, "enabled"), "has no effect: nothing is sorted by plugins")
                continue
            for i, name in enumerate(chosen.enabled or ()):
                at = (*place, "enabled", i)
                if not self._runs_there(name, point, at) or name == EVICTOR:
                    continue
                if name in seen:
                    self._ignored(at, f"{name} is enabled already")
                else:
                    yield name, at
                seen.add(name)

    def _runs_there(self, name: str, point: str, loc: Loc) -> bool:
        """Whether a plugin is one of this extension point; it is a problem if not."""
        of: Point | str = PLUGINS.get(name, "")
        if name not in KNOWN:
            self._no_plugin(name, loc)
        elif point in ("filter", "preevictionfilter") and name != EVICTOR:
            self.add(loc, f"{name} is no filter: it belongs under {of}", at_value=True)
        elif point in ("deschedule", "balance") and of != point:
            better = f"it belongs under {of}" if of else "it is enabled by itself"
            self.add(loc, f"{name} is no plugin of {point}: {better}", at_value=True)
        else:
            return True
        return False

    def _strategy_arguments(
        self, name: str, configured: dict[str, tuple[int, PluginConfig]], enabled: Loc, profile: Loc
    ) -> PluginArgs | None:
        """The arguments of a strategy; those that are given nowhere are its defaults, where it has any."""
        if name not in configured:
            return self.arguments({}, name, enabled, STRATEGIES, "strategy")
        at, config = configured[name]
        place = (*profile, "pluginConfig", at, "args")
        place = place if self.document.has(place) else place[:-1]
        return self.arguments(_arguments(config), name, place, STRATEGIES, "strategy")


def _policy(file: V1Alpha2File, uses: Sequence[_Use]) -> Policy:
    """The protections of the first profile that runs anything are the policy's; the others have their own."""
    first = protections(uses[0].evictor) if uses else Protections()
    given = sections(file) | ({"protections": first} if first != Protections() else {})
    return Policy(**given, strategies=tuple(_choices(uses, first)))


def _choices(uses: Sequence[_Use], first: Protections) -> Iterator[StrategyChoice]:
    """The uses by names of their own: that of the strategy, and of the profile where several use it."""
    plugins, taken = Counter(use.strategy for use in uses), set[str]()
    for use in uses:
        name = use.strategy if plugins[use.strategy] == 1 else f"{use.profile}/{use.strategy}"
        name = next(one for one in (name, *(f"{name} {n}" for n in range(2, len(uses) + 2))) if one not in taken)
        taken.add(name)
        own = protections(use.evictor)
        yield StrategyChoice(name=name, strategy=use.strategy, args=use.args, protections=own if own != first else None)


def _of_arguments(loc: Loc) -> bool:
    return len(loc) > 5 and loc[2] == "pluginConfig" and loc[4] == "args"


def _arguments(config: PluginConfig) -> dict[str, Json]:
    """Without what they may say of their own kind."""
    return {key: value for key, value in (config.args or {}).items() if key not in ("apiVersion", "kind")}


def _without_nulls(value: Json) -> Json:
    """As a decoder of Go reads it: a key with null is a key that is not there."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _without(value: Json, unknown: Collection[Loc], at: Loc = ()) -> Json:
    """The data without what is at these places."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if (*at, key) not in unknown}
        return {key: _without(inner, unknown, (*at, key)) for key, inner in kept.items()}
    return [_without(inner, unknown, (*at, i)) for i, inner in enumerate(value)] if isinstance(value, list) else value
