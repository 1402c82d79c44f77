"""From what users write to what the reader of history takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.errors import UsageError
from descheduler.policy.history import HistoryPolicy, NamedSignal, SigV4Auth, history_url
from descheduler_profiling.history.prometheus.sessions import Connection
from descheduler_profiling.history.prometheus.sigv4 import SigV4
from descheduler_profiling.history.signals import Signal, builtin_signals, custom_signal, with_overrides


def history_connection(policy: HistoryPolicy, url: str | None = None) -> Connection:
    """How to reach the history server; `url` (of the command line) comes before the policy's.

    Raises:
        UsageError: neither names an address, or what does is none.
    """
    address = url or policy.url
    if not address:
        raise UsageError("no history: give --prometheus URL, or history.url in the policy")
    try:
        history_url(address)
    except ValueError as error:
        raise UsageError(f"--prometheus {error}") from None
    auth = policy.auth
    return Connection(
        url=address,
        kind=policy.server,
        bearer_token_file=auth.bearer_token_file,
        username=auth.basic.username if auth.basic else "",
        password_file=auth.basic.password_file if auth.basic else None,
        sigv4=_signing(auth.sig_v4) if auth.sig_v4 else None,
        ca_file=auth.ca_file,
        cert_file=auth.cert_file,
        key_file=auth.key_file,
        insecure_skip_verify=auth.insecure_skip_verify,
        headers=dict(policy.headers),
        params=dict(policy.params),
        timeout=policy.timeout.total_seconds(),
        max_concurrency=policy.max_concurrency,
        max_samples=policy.max_samples,
    )


def _signing(written: SigV4Auth) -> SigV4:
    return SigV4(written.region, written.service, written.profile)


def measured_by(policy: HistoryPolicy) -> dict[str, str]:
    """The matchers of those whose series count, by kind, as far as the policy names them."""
    return {kind: matchers for kind, matchers in policy.sources.model_dump().items() if matchers}


def history_signals(
    policy: HistoryPolicy, wanted: Iterable[str], queried: Mapping[str, Signal] | None = None
) -> dict[str, Signal]:
    """The signals to read: those of `wanted` that exist, and every one that the policy itself names.

    `queried` are further ones, of queries in the arguments of strategies.
    """
    own = {name: _signal(name, signal) for name, signal in policy.signals.items()}
    known = with_overrides({**builtin_signals(), **(queried or {})}, {**policy.queries, **own})
    chosen = {*wanted, *policy.queries, *policy.signals}
    return {name: signal for name, signal in sorted(known.items()) if name in chosen}


def _signal(name: str, written: NamedSignal) -> Signal:
    return custom_signal(
        name,
        written.query,
        unit=written.unit,
        shape=written.per,
        namespace_label=written.namespace_label,
        name_label=written.name_label,
        kind_label=written.kind_label,
        aggregation=written.aggregation,
        ceiling=written.ceiling,
    )
