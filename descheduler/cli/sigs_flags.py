"""The command line of the Kubernetes SIG's descheduler: no subcommand, flags as Go's pflag reads them.

Source of names and defaults: kubernetes-sigs/descheduler cmd/descheduler/app/options/options.go;
k8s.io/component-base for logging and leader election, k8s.io/apiserver pkg/server/options for serving.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from descheduler.model.errors import UsageError

_BOOLS = frozenset({"dry-run", "leader-elect", "disable-metrics", "lenient"})  # the last is ours
_TEXTS = frozenset(
    [
        "policy-config-file",
        "descheduling-interval",
        "kubeconfig",
        "client-connection-kubeconfig",
        "client-connection-qps",
        "client-connection-burst",
        "leader-elect-lease-duration",
        "leader-elect-renew-deadline",
        "leader-elect-retry-period",
        "leader-elect-resource-name",
        "leader-elect-resource-namespace",
        "secure-port",
        "bind-address",
        "logging-format",
        "v",
        "tls-cert-file",
        "tls-private-key-file",
    ]
)
_IDLE_BOOLS = frozenset(
    [
        "enable-http2",
        "otel-fallback-no-op-on-error",
        "disable-http2-serving",
        "permit-port-sharing",
        "permit-address-sharing",
        "log-json-split-stream",
        "log-text-split-stream",
    ]
)
_IDLE = frozenset(
    [
        "feature-gates",
        "otel-collector-endpoint",
        "otel-transport-ca-cert",
        "otel-service-name",
        "otel-trace-namespace",
        "otel-sample-rate",
        "leader-elect-resource-lock",
        "vmodule",
        "log-flush-frequency",
        "log-json-info-buffer-size",
        "log-text-info-buffer-size",
        "cert-dir",
        "tls-cipher-suites",
        "tls-min-version",
        "tls-sni-cert-key",
        "tls-curve-preferences",
        "http2-max-streams-per-connection",
    ]
)
_OWN: Final = frozenset({"-h", "--help", "--install-completion", "--show-completion"})
_BOOLEAN = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


@dataclass(frozen=True, slots=True)
class SigsFlags:
    """What was given: `values` by name, and names of flags that mean nothing here."""

    values: Mapping[str, str] = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    def text(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def on(self, name: str) -> bool:
        """Raises UsageError."""
        found = _BOOLEAN.get(self.text(name, "false").lower())
        if found is None:
            raise UsageError(f"--{name} is true or false, not {self.values[name]}")
        return found

    def seconds(self, name: str, default: float) -> float:
        """A duration as Go writes it. Raises UsageError."""
        if name not in self.values:
            return default
        from descheduler.policy.v1alpha2.types import go_duration

        try:
            return go_duration(self.values[name]).total_seconds()
        except ValueError as error:
            raise UsageError(f"--{name} {self.values[name]}: {error}") from None

    def number(self, name: str, default: float, least: float = 0.0, most: float = 1e6) -> float:
        """Raises UsageError."""
        try:
            found = float(self.text(name, str(default)))
        except ValueError:
            found = -1.0
        if not least <= found <= most:
            raise UsageError(f"--{name} {self.values[name]}: must be a number from {least:g} to {most:g}")
        return found


def is_theirs(arguments: Sequence[str]) -> bool:
    """Whether a command line is of that program: it begins with a flag, and ours with a subcommand."""
    return bool(arguments) and arguments[0].startswith("-") and arguments[0] not in _OWN


def read_flags(arguments: Sequence[str]) -> SigsFlags:
    """Raises UsageError for a flag that is not known, or one without its value."""
    values: dict[str, str] = {}
    idle: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, value = _split(argument, rest)
        if name in _IDLE | _IDLE_BOOLS:
            idle.append(f"--{name}")
        else:
            values[name] = value
    return SigsFlags(values, tuple(dict.fromkeys(idle)))


def _split(argument: str, rest: Iterator[str]) -> tuple[str, str]:
    """A flag's name and value, which may be the next argument; a boolean needs none."""
    if not argument.startswith("-"):
        raise UsageError(f"{argument}: no argument is expected here, but flags; or a subcommand first of all")
    name, given, value = argument.lstrip("-").partition("=")
    if not argument.startswith("--") and len(name) > 1 and name[0] == "v":
        name, given, value = "v", "=", name[1:]  # -v4
    if name not in _BOOLS | _TEXTS | _IDLE | _IDLE_BOOLS:
        from descheduler.model.meant import did_you_mean

        raise UsageError(f"no flag is named --{name}{did_you_mean(name, _BOOLS | _TEXTS)}")
    if given:
        return name, value
    if name in _BOOLS | _IDLE_BOOLS:
        return name, "true"
    following = next(rest, None)
    if following is None:
        raise UsageError(f"--{name} needs a value")
    return name, following
