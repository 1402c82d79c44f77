"""Where the API server is and who we are, by the official client: kubeconfig (contexts, exec plug-ins) or in-cluster.

The official client is imported only when a connection is made; importing it takes most of a second.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.model.errors import Unauthorized, UsageError
from descheduler.model.secrets import can_be_sent, remember

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

DEFAULT_KUBECONFIG = Path("~/.kube/config")
_ADDRESS = re.compile(r"https?://(\[[0-9a-fA-F:.%]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?(/[^\s?#@]*)?", re.IGNORECASE)
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """A place that credentials come from; `load` reads it anew each time, so rotated files and tokens are seen."""

    name: str  # of the cluster, for people
    load: Callable[[], Configuration]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What was asked for in place of what the configuration says: another address, whom to act as (`user`, which needs
    the right to impersonate), and how many seconds one answer may take. Empty and 0: as configured.

    Raises UsageError, when it is made, where the address is none.
    """

    server: str = ""
    user: str = ""
    timeout: float = 0.0

    def __post_init__(self) -> None:
        if self.server and not _ADDRESS.fullmatch(self.server):
            raise UsageError(f"--server {self.server}: must be a URL such as https://10.0.0.1:6443")
        if not self.user.isprintable() or not self.user.isascii():
            raise UsageError("--as: must be printable ASCII")

    def of(self, source: CredentialSource) -> CredentialSource:
        """The source with the other address. It stays when the official client refreshes a token, as it does for each
        request: that sets all that the kubeconfig says once more, this hook included."""
        if not self.server:
            return source

        def load() -> Configuration:
            made = source.load()
            refresh = made.refresh_api_key_hook

            def refreshed(configuration: Configuration) -> None:
                if refresh is not None:
                    refresh(configuration)
                keep(configuration)

            def keep(configuration: Configuration) -> None:
                configuration.host = self.server
                configuration.refresh_api_key_hook = refreshed  # type: ignore[assignment]  # that package has no types

            keep(made)
            return made

        return CredentialSource(source.name, load)


AS_CONFIGURED = Overrides()


def own_namespace(default: str) -> str:
    """The namespace of the pod that we are in (POD_NAMESPACE, else its service account's); outside one, the default."""
    try:
        return os.environ.get("POD_NAMESPACE") or (SERVICE_ACCOUNT / "namespace").read_text().strip() or default
    except OSError:
        return default


def choose(
    kubeconfig: Path | str | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> CredentialSource:
    """The kubeconfig that is named, else the one of KUBECONFIG or ~/.kube/config, else the pod's service account.

    Raises:
        UsageError: there is none of these, or what is named cannot be read.
    """
    environ = os.environ if environ is None else environ
    named = str(kubeconfig or environ.get("KUBECONFIG", ""))
    if named:
        return _from_kubeconfig(named, context)
    if DEFAULT_KUBECONFIG.expanduser().is_file():
        return _from_kubeconfig(str(DEFAULT_KUBECONFIG.expanduser()), context)
    if environ.get("KUBERNETES_SERVICE_HOST") and context is None:
        return _from_pod(environ, service_account)
    raise UsageError("no cluster to connect to: give --kubeconfig, set KUBECONFIG, or run inside a cluster")


def _from_kubeconfig(files: str, context: str | None) -> CredentialSource:
    for name in files.split(os.pathsep):
        if len(files.split(os.pathsep)) == 1 and not Path(name).expanduser().is_file():
            raise UsageError(f"{name}: no such kubeconfig file")

    def load() -> Configuration:
        import yaml
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import ConfigException, load_kube_config

        made = Configuration()
        try:
            with _complaints() as logged:
                load_kube_config(  # type: ignore[no-untyped-call]  # that package has no types
                    files, context, client_configuration=made, persist_config=False
                )
        except ConfigException as e:
            raise UsageError(f"kubeconfig {files}: {_without_stderr(str(e))}") from e
        except OSError as e:
            raise UsageError(f"kubeconfig {files} cannot be read: {e.strerror or e}") from e
        except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as e:  # their texts quote the file
            raise UsageError(f"kubeconfig {files} cannot be read: it is malformed ({_kind(e)})") from e
        if logged:
            raise Unauthorized(f"kubeconfig {files}: no credentials: {'; '.join(map(_without_stderr, logged))}")
        if not _ADDRESS.fullmatch(str(made.host)):
            why = (
                "holds credentials, which belong to a user of it" if "@" in str(made.host) else "is no URL of a server"
            )
            raise UsageError(f"kubeconfig {files}: the server's address {why}")
        return made

    return CredentialSource(_context_name(files, context), load)


def _context_name(files: str, context: str | None) -> str:
    """The chosen context's name, read without the official client; empty when the file does not say."""
    if context is not None:
        return context
    import yaml

    for name in files.split(os.pathsep):
        try:
            text = Path(name).expanduser().read_text(encoding="utf-8")
            found = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except (OSError, ValueError, yaml.YAMLError):
            continue  # loading it says what is wrong
        if isinstance(found, dict) and found.get("current-context"):
            return str(found["current-context"])
    return ""


def _from_pod(environ: Mapping[str, str], directory: Path) -> CredentialSource:
    def load() -> Configuration:
        from kubernetes.client.configuration import Configuration
        from kubernetes.config import ConfigException
        from kubernetes.config.incluster_config import InClusterConfigLoader

        made = Configuration()
        try:
            loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]  # that package has no types
                token_filename=str(directory / "token"), cert_filename=str(directory / "ca.crt"), environ=environ
            )
            loader.load_and_set(made)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, UnicodeError) as e:
            raise UsageError(f"in-cluster credentials in {directory}: {e}") from e
        return made

    return CredentialSource("in-cluster", load)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the official client logs as errors while it loads: it logs a failed exec plug-in and goes on without one."""
    logged: list[str] = []

    def heard(record: logging.LogRecord) -> bool:
        """It goes to no log: what a plug-in says may hold credentials."""
        if record.levelno >= logging.ERROR:
            logged.append(record.getMessage())
        return record.levelno < logging.ERROR

    quiet = logging.NullHandler()  # that client logs to the root, which would otherwise set itself up to print
    root = logging.getLogger()
    root.addHandler(quiet)
    root.addFilter(heard)
    try:
        yield logged
    finally:
        root.removeFilter(heard)
        root.removeHandler(quiet)


def _without_stderr(complaint: str) -> str:
    """A complaint without what an exec plug-in printed, which may be anything."""
    told, cut, _ = complaint.partition("exec: process returned ")
    code = re.match(r"-?\d+", complaint[len(told) + len(cut) :]) if cut else None
    return f"{told}{cut}{code[0]}; run it yourself to see why" if code else complaint


def _kind(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}" if mark is not None else ""
    return f"{type(error).__name__}{where}"


def authorization(configuration: Configuration) -> dict[str, str]:
    """The headers that say who we are; the client's refresh hook re-reads token files and runs exec plug-ins again."""
    headers: dict[str, str] = {}
    for setting in configuration.auth_settings().values():
        if not isinstance(setting, dict):
            continue
        value = str(setting.get("value") or "").strip()
        if setting.get("in") == "header" and value:
            scheme, _, token = value.partition(" ")
            remember(token)
            if not can_be_sent(token.strip()):
                raise Unauthorized("our token has blanks or characters that no token has: see where it comes from")
            # The client writes "bearer" in-cluster; some proxies in front of API servers compare it exactly.
            headers["Authorization"] = f"Bearer {token.strip()}" if scheme.lower() == "bearer" else value
    return headers
