"""GPUs located by the series of a real Prometheus."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from builders import cluster, node, pod
from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.devices import GpuSource
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.gpu_series import query, worth_asking
from descheduler.observe.history import HistoryReader
from descheduler.policy import Policy, load_policy

Start = Callable[..., PrometheusServer]
NOW = 1_750_000_200.0


def policy(history: str = "") -> Policy:
    text = f"apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nhistory: {{{history}}}\n"
    return load_policy(text, "test")


@pytest.fixture
def reader() -> Iterator[Callable[[str], HistoryReader]]:
    made: list[HistoryReader] = []

    def connect(url: str) -> HistoryReader:
        made.append(HistoryReader(url, None, lambda: NOW, random.Random(1), lambda: None))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def snapshot() -> ClusterSnapshot:
    pods = [pod("a", gpu=2, node="n1"), pod("b", gpu=1, node="n2")]
    return cluster([node("n1", gpu=4), node("n2", gpu=1)], pods, taken_at=NOW)


def series(name: str, index: int, host: str, **more: str) -> Series:
    labels = {"gpu": str(index), "UUID": f"GPU-{host}-{index}", "Hostname": host, "modelName": "A100", **more}
    return Series(name, labels, [NOW - 60, NOW - 5], [0.5, 0.5])


def exported() -> list[Series]:
    mine = {"namespace": "default", "pod": "a"}
    util = [series("DCGM_FI_DEV_GPU_UTIL", i, "n1", **(mine if i in (1, 3) else {})) for i in range(4)]
    return [
        *util,
        series("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1, "n1", **mine),
        series("DCGM_FI_DEV_GPU_UTIL", 0, "n2", cluster="other", namespace="default", pod="b"),
    ]


def test_the_series_of_a_real_server_locate_pods(
    prometheus_server: Start, reader: Callable[[str], HistoryReader]
) -> None:
    asking = reader(prometheus_server(exported()).url)
    found = asking.located(policy(), snapshot())
    a, b = found.pods
    assert (a.gpu_indices, a.gpu_source, b.gpu_indices) == ((1, 3), GpuSource.DCGM, (0,))
    gpus = found.nodes[0].gpus
    assert gpus is not None
    assert [d.uuid for d in gpus.devices] == [f"GPU-n1-{i}" for i in range(4)]

    matched = asking.located(policy("""match: 'cluster="other"'"""), snapshot())
    assert [p.gpu_indices for p in matched.pods] == [(), (0,)]
    assert asking.located(policy("gpuSeries: [DCGM_FI_PROF_GR_ENGINE_ACTIVE]"), snapshot()).pods[0].gpu_indices == ()
    before = snapshot()
    assert asking.located(policy("gpuSeries: []"), before) is before


def test_a_server_that_does_not_answer_leaves_the_snapshot_as_it_is(reader: Callable[[str], HistoryReader]) -> None:
    before = snapshot()
    with closing(reader("http://127.0.0.1:9")) as asking:
        assert asking.located(policy("timeout: 1s"), before) is before


def test_where_a_scheduler_tells_it_all_nobody_is_asked() -> None:
    assert not worth_asking(cluster([node("n1")]))
    assert worth_asking(snapshot())


def test_the_question_has_all_names_and_matchers() -> None:
    text = query(("a", "b"), 'cluster="x"')
    assert text.endswith('({__name__=~"a|b",cluster="x"})')
