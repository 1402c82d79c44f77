from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _kustomize() -> None:
    """Every test here renders: look for kustomize once, and say what is missing where it is."""
    from controlplane.components import give_up
    from controlplane.missing import MissingComponentError
    from manifests.kustomize import command

    try:
        command()
    except MissingComponentError as missing:
        give_up(missing)
