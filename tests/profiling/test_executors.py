"""The same profiles wherever they are built."""

import numpy as np
import pytest

from descheduler.model.errors import UsageError
from descheduler_profiling.build import build
from descheduler_profiling.executors import executor
from descheduler_profiling.settings import ProfileSettings
from series_cases import history, noise


def test_local_processes_build_the_same() -> None:
    one = history(noise(96, 3))
    with executor("processes:2") as runner:
        there = build(one, ProfileSettings(chunk=32), runner)
    here = build(one, ProfileSettings(chunk=32))
    assert np.array_equal(there.vectors, here.vectors)
    assert there.why == here.why


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_builds_the_same() -> None:
    pytest.importorskip("distributed")
    one = history(noise(96, 3))
    with executor("dask:2") as runner:
        there = build(one, ProfileSettings(chunk=32), runner)
    assert np.array_equal(there.vectors, build(one, ProfileSettings(chunk=32)).vectors)


@pytest.mark.parametrize("text", ["", "spark:2", "processes:0", "processes:two", "inline:3"])
def test_an_unknown_executor_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        executor(text)
