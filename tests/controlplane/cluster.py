"""A real Kubernetes control plane on loopback: etcd, API server, scheduler, controllers, and kwok for kubelets."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from controlplane.audit import AuditLog
from controlplane.client import ApiClient
from controlplane.identities import Identity, make_identities, write_kubeconfig, write_signing_key, write_token_file
from controlplane.processes import ComponentDiedError, ManagedProcess, answers, free_port
from controlplane.sweep import Sweeper

_STAGES: Final = Path(__file__).resolve().parent / "stages.yaml"
# The defaults (20 a second) make 400 pods take 23 s.
_FAST_CLIENT: Final = ("--kube-api-qps=1000", "--kube-api-burst=2000")
_START_ATTEMPTS: Final = 3


class ControlPlane:
    """A running control plane.

    Attributes:
        server: URL of the API server.
        ca_file: PEM file that its certificate is checked with.
        directory: everything it writes; logs are ``*.log`` in it.
        client: an API client with all rights.
        audit: what the program's own service account asked for.
    """

    def __init__(self, directory: Path, *, service_accounts: bool = False, packing: bool = False) -> None:
        self.directory = directory
        self._service_accounts = service_accounts
        self._packing = packing
        self.server = f"https://127.0.0.1:{free_port()}"
        self.ca_file = directory / "certificates" / "apiserver.crt"
        self._identities: dict[str, Identity] = make_identities()
        self._processes: dict[str, ManagedProcess] = {}
        self.audit = AuditLog(directory)
        self.client: ApiClient
        self._sweeper: Sweeper

    @classmethod
    def start(cls, binaries: Path, *, service_accounts: bool = False, packing: bool = False) -> Self:
        """Start every part and wait until each is ready.

        Args:
            binaries: folder with etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok.
            service_accounts: pods need theirs, and a new namespace some time until it has one.
            packing: the scheduler likes full nodes.

        Raises:
            ComponentDiedError: a part did not come up, three times over (one may be bad luck: a free port was taken).
        """
        for attempt in range(1, _START_ATTEMPTS + 1):
            folder = Path(tempfile.mkdtemp(prefix="control-plane-"))
            plane = cls(folder, service_accounts=service_accounts, packing=packing)
            try:
                plane._bring_up(binaries)
            except ComponentDiedError:
                plane.stop(keep_logs=attempt == _START_ATTEMPTS)
                if attempt == _START_ATTEMPTS:
                    raise
            except BaseException:
                plane.stop()
                raise
            else:
                return plane
        raise AssertionError("unreachable")

    def token(self, user: str = "admin") -> str:
        """Bearer token of ``admin``, ``descheduler`` or ``nobody``."""
        return self._identities[user].token

    def service_account_token(self, namespace: str, name: str) -> str:
        """A real token of an existing service account, as a pod would be given."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        }
        return str(self.client.request("POST", path, request)["status"]["token"])

    def kubeconfig(self, user: str = "admin", *, token: str | None = None) -> Path:
        """A kubeconfig file for ``user`` (with ``token``: for whoever holds it, under that name)."""
        path = self.directory / f"{user.replace(':', '-')}.kubeconfig"
        return write_kubeconfig(
            path, server=self.server, ca_file=self.ca_file, user=user, token=token or self.token(user)
        )

    def client_for(self, user: str) -> ApiClient:
        """An API client that speaks as ``user``; close it, or use it in a ``with`` block."""
        return ApiClient(self.server, self.ca_file, self.token(user))

    def process(self, name: str) -> ManagedProcess:
        """A part by name: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok."""
        return self._processes[name]

    def reset(self, *, keep_namespaces: bool = False) -> None:
        """Delete all that was made since the start, except custom resource definitions."""
        self._sweeper.sweep(keep_namespaces=keep_namespaces)

    def stop(self, *, keep_logs: bool = False) -> None:
        """End every part; remove the directory, or all but the logs and small files."""
        with suppress(AttributeError):  # it may not have come as far as a client
            self.client.close()
        for process in reversed(self._processes.values()):
            process.kill()  # nothing on disk is worth a graceful end
        shutil.rmtree(self.directory / "etcd" if keep_logs else self.directory, ignore_errors=True)

    # -- starting ------------------------------------------------------------------------

    def _bring_up(self, binaries: Path) -> None:
        write_token_file(self._identities, self.directory / "tokens.csv")
        write_signing_key(self.directory / "service-accounts.key")
        etcd = self._start_etcd(binaries)
        self._start_apiserver(binaries, etcd)
        self._start_controllers(binaries)
        self.client = ApiClient(self.server, self.ca_file, self.token("admin"))
        self.client.wait_for(
            lambda: self.client.get_or_none("ServiceAccount", "default"), timeout=30, what="the default service account"
        )
        self._keep_parameters_alive()
        self._sweeper = Sweeper(self.client)

    def _keep_parameters_alive(self) -> None:
        """Bind a policy that has nothing to do, for as long as the API server runs.

        Once no policy with ConfigMaps for parameters is bound any more, an API server never reads them again until it
        is restarted (kubernetes/kubernetes#133827), and tests come one after the other.
        """
        group, name = "admissionregistration.k8s.io/v1", {"name": "keeps-parameters-alive"}
        rule = {"apiGroups": ["nobody.test"], "apiVersions": ["v1"], "resources": ["none"], "operations": ["CREATE"]}
        nothing = '[JSONPatch{op: "test", path: "/kind", value: object.kind}]'
        mutation = {"patchType": "JSONPatch", "jsonPatch": {"expression": nothing}}
        policy = {
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": [rule]},
            "mutations": [mutation],
        }
        parameters = {**name, "namespace": "default", "parameterNotFoundAction": "Allow"}
        binding = {"policyName": name["name"], "paramRef": parameters}
        for kind, spec in (("MutatingAdmissionPolicy", policy), ("MutatingAdmissionPolicyBinding", binding)):
            self.client.apply({"apiVersion": group, "kind": kind, "metadata": name, "spec": spec})

    def _run(self, name: str, binaries: Path, *flags: str) -> ManagedProcess:
        process = ManagedProcess.start(name, [binaries / name, *flags], self.directory / f"{name}.log")
        self._processes[name] = process
        return process

    def _start_etcd(self, binaries: Path) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            binaries,
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
        )  # not waited for: the API server retries until it answers
        return client

    def _start_apiserver(self, binaries: Path, etcd: str) -> None:
        key = self.directory / "service-accounts.key"
        apiserver = self._run(
            "kube-apiserver",
            binaries,
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.server.rpartition(':')[2]}",
            f"--cert-dir={self.ca_file.parent}",  # it makes a self-signed certificate there
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            *(() if self._service_accounts else ("--disable-admission-plugins=ServiceAccount",)),
            # Without the last it drops `disruptionMode` of pod groups, and says "Pod" of each.
            "--feature-gates=GenericWorkload=true,GangScheduling=true,WorkloadAwarePreemption=true",
            "--runtime-config=scheduling.k8s.io/v1alpha2=true",
            *self.audit.flags(),
        )
        apiserver.wait_ready(lambda: answers(f"{self.server}/readyz", token=self.token("admin")))

    def _start_controllers(self, binaries: Path) -> None:
        """Start the rest at the same time, then wait for each."""
        manager_port, scheduler_port, kwok_port = free_port(), free_port(), free_port()
        manager = self._run(
            "kube-controller-manager",
            binaries,
            f"--kubeconfig={self.kubeconfig('system:kube-controller-manager')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={manager_port}",
            "--leader-elect=false",
            f"--service-account-private-key-file={self.directory / 'service-accounts.key'}",
            f"--root-ca-file={self.ca_file}",
            "--feature-gates=GenericWorkload=true",
            *_FAST_CLIENT,
        )
        scheduler = self._run(
            "kube-scheduler",
            binaries,
            *(self._packing_scheduler() if self._packing else self._scheduler()),
            f"--authentication-kubeconfig={self.kubeconfig('system:kube-scheduler')}",
            "--bind-address=127.0.0.1",
            f"--secure-port={scheduler_port}",
            "--feature-gates=GenericWorkload=true,GangScheduling=true",
        )
        kwok = self._run(
            "kwok",
            binaries,
            f"--kubeconfig={self.kubeconfig('admin')}",
            f"--config={_STAGES}",
            "--manage-all-nodes=true",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{kwok_port}",
        )
        manager.wait_ready(lambda: answers(f"https://127.0.0.1:{manager_port}/healthz"))
        scheduler.wait_ready(lambda: answers(f"https://127.0.0.1:{scheduler_port}/healthz"))
        kwok.wait_ready(lambda: answers(f"http://127.0.0.1:{kwok_port}/healthz"))

    def _scheduler(self) -> tuple[str, ...]:
        kubeconfig = self.kubeconfig("system:kube-scheduler")
        return (f"--kubeconfig={kubeconfig}", "--leader-elect=false", *_FAST_CLIENT)

    def _packing_scheduler(self) -> tuple[str, ...]:
        """Scores are told by a file, and given one, a scheduler hears nothing of the rest by flags."""
        connection = {"kubeconfig": str(self.kubeconfig("system:kube-scheduler")), "qps": 1000, "burst": 2000}
        fit = {"name": "NodeResourcesFit", "args": {"scoringStrategy": {"type": "MostAllocated"}}}
        config = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "clientConnection": connection,
            "leaderElection": {"leaderElect": False},
            "profiles": [{"pluginConfig": [fit]}],
        }
        path = self.directory / "scheduler.json"
        path.write_text(json.dumps(config))
        return (f"--config={path}",)


def seconds_to_start(binaries: Path) -> float:
    """Start and stop a control plane; the seconds that starting took."""
    began = time.monotonic()
    plane = ControlPlane.start(binaries)
    took = time.monotonic() - began
    plane.stop()
    return took
