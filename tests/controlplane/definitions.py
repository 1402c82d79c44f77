"""Custom resource definitions of other systems, reduced to the documented fields: their objects on a real API server.

Their controllers are not published as Go modules, so nothing acts on the objects; a test writes them as those would.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from controlplane.client import ApiClient, condition

_FOLDER: Final = Path(__file__).resolve().parent / "crds"


def definitions() -> list[dict[str, Any]]:
    """Every CustomResourceDefinition of ``crds/``, in order of file names."""
    files = sorted(_FOLDER.glob("*.yaml"))
    return [document for file in files for document in yaml.safe_load_all(file.read_text())]


def apply_crds(client: ApiClient) -> None:
    """Apply all of them and wait until the server serves them; quick when they are there already."""
    wanted = definitions()
    names = {d["metadata"]["name"] for d in wanted}

    def established() -> set[str]:
        there = client.list("CustomResourceDefinition")
        return {d["metadata"]["name"] for d in there if condition(d, "Established") == "True"}

    if names <= established():
        return
    client.apply_all(wanted)
    client.wait_for(lambda: names <= established(), what="the definitions to be established")
    client.wait_for(lambda: _all_discovered(client, wanted), what="the definitions to be discovered")
    # The first request for a fresh kind is held up for a second; better all at once here than one by one in the tests.
    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(partial(_list, client), wanted))


def _all_discovered(client: ApiClient, wanted: list[dict[str, Any]]) -> bool:
    served = {(k.group, k.plural) for k in client.kinds(refresh=True).preferred()}
    return all((d["spec"]["group"], d["spec"]["names"]["plural"]) in served for d in wanted)


def _list(client: ApiClient, definition: dict[str, Any]) -> None:
    spec = definition["spec"]
    client.list(spec["names"]["kind"], api_version=f"{spec['group']}/{spec['versions'][0]['name']}")
