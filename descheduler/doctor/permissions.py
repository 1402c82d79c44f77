"""May we do what is needed? Reading by kind; writing what the policy's mode, executor and publishing need."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.doctor.checks import Check, failure, fenced, ok, warning
from descheduler.doctor.given import Given
from descheduler.execution import intents
from descheduler.execution.executors.surge.book import BOOKING, SURGES
from descheduler.execution.executors.surge.executor import Surge
from descheduler.execution.steering import STEERING
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import Discovered
from descheduler.kube.client.reviews import lacking
from descheduler.kube.convert.kinds import CORE, MEASURED
from descheduler.learning import store as ledger_store
from descheduler.model.errors import DeschedulerError, Forbidden
from descheduler.model.landing_mode import LandingWish
from descheduler.model.rights import Right
from descheduler.observe.signals import needs_cordons, needs_metrics
from descheduler.pipeline import executors_of
from descheduler.publish.recommendations import RIGHTS as RECOMMENDING

AREA = "permissions"
_EVENTS = (Right("events.k8s.io", "events", "create"),)
_LEASES = ("coordination.k8s.io", "leases")
_MAPS = ("", "configmaps")


def permissions(client: KubeClient, given: Given, served: Discovered) -> Iterator[Check]:
    """A failure for each kind that cannot be read and each right that acting lacks."""
    try:
        lacking(client, [Right("", "pods", "list")])
    except Forbidden as error:
        mend = "every account has the ClusterRole system:basic-user unless somebody took it away"
        yield warning(AREA, "asking", f"what we may do cannot be asked: {error}", mend)
        return
    except DeschedulerError:
        pass  # whoever looks next says so
    yield from fenced(AREA, "reading", lambda: _reading(client, given, served))
    if given.active:
        yield from fenced(AREA, "acting", lambda: _acting(client, given))
    if given.policy.publish.recommendations.enabled:
        yield from fenced(AREA, "publishing", lambda: _publishing(client))
    yield from fenced(AREA, "own state", lambda: _own_state(client, given))


def _reading(client: KubeClient, given: Given, served: Discovered) -> Iterator[Check]:
    resources = [(kind.group, kind.plural) for kind in CORE]
    resources += [(endpoint.kind.group, endpoint.plural) for endpoint in served.served]
    wanted = [Right(group, plural, verb) for group, plural in resources for verb in ("list", "watch")]
    if needs_metrics(given.policy):
        wanted += [Right(kind.group, kind.plural, "list") for kind in MEASURED]
    missing = lacking(client, wanted)
    for group, plural in dict.fromkeys((right.group, right.resource) for right in missing):
        verbs = [right.verb for right in missing if (right.group, right.resource) == (group, plural)]
        name = f"{plural}.{group}" if group else plural
        mend = f"grant {', '.join(verbs)} on {name}, as the ClusterRole descheduler-read in manifests/base does"
        yield failure(AREA, name, f"we may not {' and '.join(verbs)} {name}", mend)
    if not missing:
        yield ok(AREA, "reading", f"we may list and watch all {len(resources)} kinds that are read")


def _acting(client: KubeClient, given: Given) -> Iterator[Check]:
    of_nodes = given.policy.acting.landing is LandingWish.STEERED or needs_cordons(given.policy)
    steering = STEERING if of_nodes else ()
    for chosen in executors_of(given.policy):
        missing = lacking(client, (*chosen.executor.rights, *steering, *_EVENTS))
        for right in missing:
            mend = "the overlays in manifests/overlays and the components in manifests/components grant it"
            yield failure(AREA, str(right), f"mode active with the executor {chosen.executor.name} needs {right}", mend)
        if not missing:
            yield ok(AREA, "acting", f"we may do what the executor {chosen.executor.name} does")


def _publishing(client: KubeClient) -> Iterator[Check]:
    missing = lacking(client, RECOMMENDING)
    for right in missing:
        yield warning(
            AREA, str(right), f"publish.recommendations needs {right}", "manifests/components/recommend grants it"
        )
    if not missing:
        yield ok(AREA, "publishing", "we may write Recommendations")


def _own_state(client: KubeClient, given: Given) -> Iterator[Check]:
    """The lease, the ledger and the intents of the controller: whoever only plans does without.

    A controller that does not act keeps the lease and looks into the ledger.
    """
    wanted = [
        ("", [Right(*_LEASES, "create")]),
        (given.lease, [Right(*_LEASES, verb) for verb in ("get", "update")]),
        (ledger_store.NAME, [Right(*_MAPS, "get")]),
    ]
    if given.active:
        wanted += [
            ("", [Right(*_MAPS, "create")]),
            (ledger_store.NAME, [Right(*_MAPS, "update")]),
            (intents.NAME, [Right(*_MAPS, verb) for verb in ("get", "update")]),
        ]
        if Surge.name in given.policy.acting.named:
            wanted.append((SURGES, list(BOOKING)))
    missing = [right for name, rights in wanted for right in lacking(client, rights, given.namespace, name)]
    if not missing:
        kept = "keep lease, ledger and intents" if given.active else "keep the lease and read the ledger"
        yield ok(AREA, "own state", f"we may {kept} in namespace {given.namespace}")
        return
    rights = ", ".join(dict.fromkeys(map(str, missing)))
    text = f"the controller (`run`) also needs {rights} in namespace {given.namespace}"
    mend = "the Roles of manifests/base, manifests/overlays/active and manifests/components grant it"
    mend += "; --namespace names another namespace"
    yield failure(AREA, "own state", text, mend) if given.active else warning(AREA, "own state", text, mend)
