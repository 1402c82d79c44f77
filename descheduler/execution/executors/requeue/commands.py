"""Restarting a Job of Volcano, which no field stops: a Command asks its controller to restart it as a whole.

Of its verbs RestartJob is the one that a death survives: the stop and the start are one write of ours, where AbortJob
would leave the job stopped until somebody asks for ResumeJob. The controller deletes a Command before it acts, so that
it acts once at most. So whoever can delete a Command knows that nothing came of it, and that nothing will.

Sources: volcano pkg/controllers/job/job_controller_handler.go (`processNextCommand`), job_controller.go (whose Commands
it takes), volcano.sh/apis bus/v1alpha1 Command.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY, ClusterWriter
from descheduler.execution.executors.requeue.switches import MARK, VOLCANO, Target
from descheduler.execution.executors.requeue.wire import listed
from descheduler.model.errors import Conflict, NotFound

_API = "bus.volcano.sh/v1alpha1"


def ask(writer: ClusterWriter, target: Target, key: str) -> None:
    """Have it restarted for the intent of that key. Raises ClusterError's kinds, LeadershipLost."""
    owner = {
        "apiVersion": f"{target.switch.kind.group}/{target.version}",
        "kind": target.switch.kind.name,
        "name": target.name,
        "uid": target.uid,
        "controller": True,
    }
    name = f"{COMPONENT}-{key}"
    labels = {MANAGED_BY: COMPONENT, MARK: key}
    meta = {"name": name, "namespace": target.namespace, "labels": labels, "ownerReferences": [owner]}
    body = {"apiVersion": _API, "kind": "Command", "metadata": meta, "action": "RestartJob", "target": owner}
    try:
        writer.create(_folder(target.namespace), msgspec.json.encode(body))
    except Conflict:
        return  # an earlier try arrived


def withdraw(writer: ClusterWriter, target: Target) -> bool:
    """Take away what is asked of it by us; whether there was anything, of which nothing will come.

    Raises ClusterError's kinds, LeadershipLost.
    """
    taken = False
    for one in listed(writer.transport, _folder(target.namespace), MARK):
        meta = one["metadata"]
        if (one.get("target") or {}).get("uid") != target.uid:
            continue
        try:
            writer.delete(f"{_folder(target.namespace)}/{quote(meta['name'])}", meta["uid"])
            taken = True
        except NotFound:
            pass  # the controller was quicker
    return taken


def asked(transport: Transport, namespace: str, key: str) -> Iterator[Target]:
    """What is asked to be restarted for an intent. Raises ClusterError's kinds."""
    for one in listed(transport, _folder(namespace), f"{MARK}={key}"):
        job: Mapping[str, Any] = one.get("target") or {}
        if job.get("name") and job.get("uid"):
            yield Target(VOLCANO, VOLCANO.kind.versions[0], namespace, job["name"], job["uid"])


def _folder(namespace: str) -> str:
    return f"/apis/{_API}/namespaces/{namespace}/commands"
