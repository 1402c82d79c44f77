"""Who reads reports and metrics: the program over TLS, with tokens of a real API server and its RBAC, and a real
Prometheus that scrapes it.
"""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.stages import POLICY
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.processes import free_port
from controlplane.prometheus import PrometheusServer
from history.certificates import Authority, authority
from manifests.kustomize import render

COMMAND = str(Path(sys.executable).with_name("descheduler"))
PAGES = ("/", "/reports/", "/reports/none", "/reports/none.json", "/metrics")
READERS = {"reader": "descheduler-pages-reader", "scraper": "descheduler-metrics-reader", "other": "", "gone": ""}


@dataclass(frozen=True)
class Site:
    plane: ControlPlane
    port: int
    trusted: Authority
    process: subprocess.Popen[bytes]
    tokens: dict[str, str]
    log: Path

    def get(self, path: str, token: str = "") -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}{path}", headers=headers)
        context = ssl.create_default_context(cafile=self.trusted.certificate)
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()
        except urllib.error.URLError:
            return 0, ""


@pytest.fixture(scope="module")
def site(module_control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    plane, folder = module_control_plane, tmp_path_factory.mktemp("site")
    for found in sorted(render("dry-run+authenticated-pages"), key=lambda o: o["kind"] != "Namespace"):
        if found["kind"] != "Deployment":
            plane.client.apply(found)
    tokens = {name: account(plane, name, role) for name, role in READERS.items()}
    plane.client.delete("ServiceAccount", "gone")
    own = plane.kubeconfig("own", token=plane.service_account_token("descheduler", "descheduler"))
    (folder / "policy.yaml").write_text(POLICY.replace("[]", "[{HotNodes: {}}]"))  # which needs history
    made, port = authority(folder), free_port()
    words = [COMMAND, "run", "--kubeconfig", own, "--policy", folder / "policy.yaml", "--namespace", "descheduler"]
    words += ["--port", port, "--authenticate"]
    words += ["--tls-cert-file", made.server.certificate, "--tls-private-key-file", made.server.key]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log)
        site = Site(plane, port, made, process, tokens, folder / "log")
        try:
            plane.client.wait_for(
                lambda: "mode: dry-run" in site.get("/readyz", tokens["reader"])[1], timeout=60, what="it", every=0.2
            )
            yield site
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, (folder / "log").read_text()[-4000:]


def account(plane: ControlPlane, name: str, role: str) -> str:
    """A token of a new service account that is bound to a role, if one is named."""
    client: ApiClient = plane.client
    client.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}})
    if role:
        client.apply(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
            }
        )
    return plane.service_account_token("default", name)


def test_whoever_is_bound_reads_what_the_role_says_and_nobody_else_anything(site: Site) -> None:
    def codes(token: str) -> list[int]:
        return [site.get(path, token)[0] for path in PAGES]

    assert codes(site.tokens["reader"]) == [200, 200, 404, 404, 200]
    assert codes(site.tokens["scraper"]) == [403, 403, 403, 403, 200]
    assert codes(site.tokens["other"]) == [403] * 5
    assert codes(signed_ago(site, 60)) == codes(site.tokens["reader"])
    assert codes(site.plane.token("admin")) == [200, 200, 404, 404, 200]
    for nobody in ("", "garbage", site.tokens["gone"], forged(site.tokens["reader"]), signed_ago(site, 7200)):
        assert codes(nobody) == [401] * 5
    assert "descheduler_build_info" in site.get("/metrics", site.tokens["scraper"])[1]
    log = site.log.read_text()
    assert not [token for token in site.tokens.values() if token in log]


def test_probes_need_no_token_and_tell_strangers_no_more_than_yes(site: Site) -> None:
    assert site.get("/healthz") == (200, "ok\n")
    assert site.get("/readyz") == (503, "not ready\n")
    assert site.get("/readyz", site.tokens["scraper"]) == (503, "not ready\n")
    assert "no history: give --prometheus URL" in site.get("/readyz", site.tokens["reader"])[1]


def test_paths_are_not_read_otherwise_than_they_are_asked_about(site: Site) -> None:
    for path in ("/metrics/../reports/", "/metrics/%2e%2e/reports/", "//reports/", "/metrics?x=/reports/", "/metrics/"):
        code, text = site.get(path, site.tokens["scraper"])
        assert (code, "descheduler_build_info" in text) in ((403, False), (404, False), (200, True))
        assert "<h1>Reports" not in text


def test_a_right_that_is_taken_away_ends_within_seconds(site: Site) -> None:
    token = account(site.plane, "short", "descheduler-metrics-reader")
    assert site.get("/metrics", token)[0] == 200
    site.plane.client.delete("ClusterRoleBinding", "short")
    site.plane.client.wait_for(lambda: site.get("/metrics", token)[0] == 403, timeout=30, what="the end", every=0.5)


def test_prometheus_scrapes_as_an_account_that_is_bound(
    site: Site, prometheus_server: Callable[..., PrometheusServer]
) -> None:
    def job(name: str) -> dict[str, object]:
        return {
            "job_name": name,
            "scheme": "https",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "authorization": {"credentials": site.tokens[name]},
            "tls_config": {"ca_file": str(site.trusted.certificate)},
            "static_configs": [{"targets": [f"127.0.0.1:{site.port}"]}],
        }

    server = prometheus_server(scrapes=[job("scraper"), job("other")])

    def up() -> dict[str, str]:
        with urllib.request.urlopen(f"{server.url}/api/v1/query?query=up", timeout=5) as answer:
            return {row["metric"]["job"]: row["value"][1] for row in json.load(answer)["data"]["result"]}

    site.plane.client.wait_for(lambda: up() == {"scraper": "1", "other": "0"}, timeout=30, what="scrapes")


def test_the_program_answers_its_probes_while_500_connections_dribble(site: Site) -> None:
    with ExitStack() as stack:
        for i in range(500):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=10))
            with suppress(OSError):
                client.sendall(b"\x16\x03\x01\x02" if i % 2 else b"GET /reports/ HTTP/1.1\r\n")
        for _ in range(10):
            assert site.get("/healthz")[0] == 200
            assert site.get("/readyz")[0] == 503  # an answer; without history it is not ready
            assert len(list(Path(f"/proc/{site.process.pid}/fd").iterdir())) < 500
    assert site.get("/reports/", site.tokens["reader"])[0] == 200


def forged(token: str) -> str:
    """A token that says it is somebody else's."""
    head, claims, signature = token.split(".")
    body = json.loads(base64.urlsafe_b64decode(claims + "=="))
    body["sub"] = "system:serviceaccount:kube-system:default"
    return ".".join((head, encoded(json.dumps(body).encode()), signature))


def signed_ago(site: Site, seconds: int) -> str:
    """The reader's token, which holds for an hour, as the API server would have signed it some time ago."""
    head, claims, _ = site.tokens["reader"].split(".")
    body = json.loads(base64.urlsafe_b64decode(claims + "=="))
    body |= {name: body[name] - seconds for name in ("iat", "nbf", "exp")}
    text = f"{head}.{encoded(json.dumps(body).encode())}"
    key = site.plane.directory / "service-accounts.key"
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key], input=text.encode(), capture_output=True, check=True
    )
    return f"{text}.{encoded(raw_signature(done.stdout))}"


def raw_signature(der: bytes) -> bytes:
    """The two numbers of an ECDSA signature side by side, as RFC 7518 wants them."""
    first = der[4 : 4 + der[3]]
    second = der[6 + der[3] :]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (first, second))


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
