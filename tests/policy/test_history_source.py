"""From the policy to what reads history."""

from __future__ import annotations

from pathlib import Path

import pytest

from descheduler.model.errors import PolicyError, UsageError
from descheduler.policy import load_policy
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.history_source import history_connection, history_signals
from descheduler_profiling.history.prometheus.sigv4 import SigV4

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def test_everything_that_reaches_the_server_is_taken_over() -> None:
    history = load_policy(
        HEAD
        + "history: {url: 'https://h/prometheus', server: mimir, headers: {X-Scope-OrgID: a}, timeout: 10s, "
        + "auth: {basic: {username: u, passwordFile: /p}, caFile: /ca}}"
    ).history
    connection = history_connection(history)
    assert (connection.url, connection.kind, connection.timeout) == ("https://h/prometheus", "mimir", 10.0)
    assert (connection.username, connection.password_file, connection.ca_file) == ("u", Path("/p"), Path("/ca"))
    assert connection.headers == {"X-Scope-OrgID": "a"}


def test_signatures_of_aws_are_one_way_of_three() -> None:
    amazon = "history: {url: 'https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1', auth: {%s}}"
    history = load_policy(HEAD + amazon % "sigV4: {region: eu-central-1, profile: metrics}").history
    assert history_connection(history).sigv4 == SigV4("eu-central-1", "aps", "metrics")
    with pytest.raises(PolicyError, match="give one of bearerTokenFile, basic and sigV4"):
        load_policy(HEAD + amazon % "sigV4: {region: eu-central-1}, bearerTokenFile: /t")
    with pytest.raises(PolicyError, match="region"):
        load_policy(HEAD + amazon % "sigV4: {}")


def test_the_command_line_comes_before_the_policy() -> None:
    assert history_connection(HistoryPolicy(url="http://a"), "http://b").url == "http://b"


def test_no_address_is_said() -> None:
    with pytest.raises(UsageError, match="--prometheus"):
        history_connection(HistoryPolicy())


def test_signals_are_those_wanted_overridden_or_named() -> None:
    history = load_policy(
        HEAD + "history: {queries: {cpu: my_cpu}, signals: {latency: {query: lat, per: workload, unit: seconds}}}"
    ).history
    signals = history_signals(history, ["memory"])
    assert sorted(signals) == ["cpu", "latency", "memory"]
    assert signals["cpu"].queries[0].text == "my_cpu"
    assert signals["cpu"].unit == "cores"
    assert signals["latency"].queries[0].shape == "workload"
