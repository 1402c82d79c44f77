"""What series of GPUs say together, asked of a real Prometheus: metrics that disagree, units, MIG, labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.series import History
from history.world import NOW, client, gauge, times

Start = Callable[..., PrometheusServer]
AT = times(3600)
ENGINE, UTIL = "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL"


def series(metric: str, user: str, value: float | np.ndarray, host: str = "n1", gpu: int = 0, **more: str) -> Series:
    labels = {"UUID": f"GPU-{host}-{gpu}", "gpu": str(gpu), "Hostname": host, "namespace": "ml", "pod": user, **more}
    return gauge(metric, AT, value, **{name: text for name, text in labels.items() if text})


def asked(server: PrometheusServer, *names: str) -> dict[str, History]:
    wanted = [builtin_signals()[name] for name in names or ("gpu", "gpu_least")]
    with client(server.url) as asking:
        found: dict[str, Any] = collect(asking, wanted, now=NOW, window_seconds=3600)
    return found


def levels(history: History) -> dict[str, float]:
    """By pod the mean of its last hour, as far as it was measured."""
    return {pod: round(level, 3) for (_, pod), level in history.pod_level.items()}


def told(start: Start, every: Iterable[Series]) -> dict[str, tuple[float, float]]:
    """By pod how busy it is by what says most of it, and by what says least."""
    found = asked(start(list(every)))
    most, least = levels(found["gpu"]), levels(found["gpu_least"])
    return {pod: (most[pod], least[pod]) for pod in most}


def test_what_says_most_of_a_gpu_counts_and_what_says_least_is_known(prometheus_server: Start) -> None:
    found = told(
        prometheus_server,
        [
            *(series(ENGINE, "no-licence", 0.0), series(UTIL, "no-licence", 97.0)),
            *(series(ENGINE, "other-way", 0.9, gpu=1), series(UTIL, "other-way", 0.0, gpu=1)),
            *(series(ENGINE, "idle", 0.0, gpu=2), series(UTIL, "idle", 0.0, gpu=2)),
            *(series(ENGINE, "films", 0.0, gpu=3), series("DCGM_FI_DEV_ENC_UTIL", "films", 60.0, gpu=3)),
            *(series(UTIL, "reads", 0.0, gpu=4), series("DCGM_FI_PROF_DRAM_ACTIVE", "reads", 0.3, gpu=4)),
            series(UTIL, "plain", 40.0, gpu=5),
        ],
    )
    assert found == {
        "no-licence": (0.97, 0.0),
        "other-way": (0.9, 0.0),
        "idle": (0.0, 0.0),
        "films": (0.6, 0.0),
        "reads": (0.3, 0.0),
        "plain": (0.4, 0.4),
    }


def test_parts_of_a_gpu_alone_do_not_measure_it(prometheus_server: Start) -> None:
    found = told(
        prometheus_server,
        [series("DCGM_FI_DEV_ENC_UTIL", "unmeasured", 0.0), series(UTIL, "measured", 50.0, gpu=1)],
    )
    assert list(found) == ["measured"]


def test_each_exporter_is_read_in_its_own_unit(prometheus_server: Start) -> None:
    found = told(
        prometheus_server,
        [
            *(series(UTIL, "percent-busy", 97.0), series(UTIL, "percent-idle", 1.0, gpu=1)),
            *(series(UTIL, "ratio-busy", 1.0, "n2"), series(UTIL, "ratio-idle", 0.01, "n2", 1)),
            series(UTIL, "either", 1.0, "n3"),  # 1 % or all: not called idle by mistake
            series(f"{UTIL}_RATIO", "alias", 80.0, "n4"),  # another name of percent in DCGM 4.6
            series(f"{UTIL}_RATIO", "ratio", 0.8, "n5"),
        ],
    )
    assert {pod: most for pod, (most, _) in found.items()} == {
        "percent-busy": 0.97,
        "percent-idle": 0.01,
        "ratio-busy": 1.0,
        "ratio-idle": 0.01,
        "either": 1.0,
        "alias": 0.8,
        "ratio": 0.8,
    }


def test_series_without_the_name_of_their_exporter_are_read_one_by_one(prometheus_server: Start) -> None:
    found = told(prometheus_server, [series(UTIL, "a", 60.0, Hostname=""), series(UTIL, "b", 0.6, "n2", Hostname="")])
    assert found == {"a": (0.6, 0.6), "b": (0.6, 0.6)}


def test_what_is_no_percentage_makes_no_percent_of_others(prometheus_server: Start) -> None:
    blank = [series(UTIL, "blank", 2.0**63), series(UTIL, "part", 2.0**63, gpu=2), series(ENGINE, "part", 0.2, gpu=2)]
    found = told(prometheus_server, [*blank, series(UTIL, "busy", 0.9, gpu=1)])
    assert found == {"busy": (0.9, 0.9), "part": (0.2, 0.2)}


def test_an_exporter_that_changes_its_unit_is_followed(prometheus_server: Start) -> None:
    changed = np.where(AT < NOW - 1800, 60.0, 0.6)
    values = asked(prometheus_server([series(UTIL, "a", changed), series(UTIL, "b", changed, gpu=1)]))["gpu"].recent
    settled = np.delete(values, [5, 6], axis=1)  # but for the step in which it changes
    np.testing.assert_allclose(settled, 0.6, rtol=1e-3)


def test_utilization_says_nothing_of_a_mig_instance(prometheus_server: Start) -> None:
    def instance(number: int) -> dict[str, str]:
        return {"GPU_I_ID": str(number), "GPU_I_PROFILE": "1g.5gb"}

    found = told(
        prometheus_server,
        [
            series(UTIL, "unmeasured", 0.0, **instance(1)),
            *(series(UTIL, "busy", 0.0, **instance(2)), series(ENGINE, "busy", 0.7, **instance(2))),
            *(series(UTIL, "idle", 0.0, **instance(3)), series(ENGINE, "idle", 0.0, **instance(3))),
        ],
    )
    assert found == {"busy": (0.7, 0.7), "idle": (0.0, 0.0)}


@pytest.mark.parametrize("own", [{}, {"namespace": "gpu-operator", "pod": "dcgm-exporter-x7k2p"}])
def test_labels_differ_from_node_to_node_and_a_gpu_of_nobody_is_not_the_exporters(
    prometheus_server: Start, own: dict[str, str]
) -> None:
    scraped = {"namespace": "gpu-operator", "pod": "dcgm-exporter-x7k2p"}
    found = told(
        prometheus_server,
        [
            series(UTIL, "honoured", 50.0),
            series(UTIL, "", 60.0, "n2", **{**scraped, "exported_namespace": "ml", "exported_pod": "not-honoured"}),
            series(UTIL, "", 0.0, "n2", 1, **{"namespace": "", **own}),
            series(UTIL, "", 70.0, "n3", namespace="", pod_namespace="ml", pod_name="old"),
        ],
    )
    assert found == {"honoured": (0.5, 0.5), "not-honoured": (0.6, 0.6), "old": (0.7, 0.7)}


def test_the_gpus_of_a_pod_are_averaged_each_by_what_says_most_of_it(prometheus_server: Start) -> None:
    both = [series(ENGINE, "pair", 0.0), series(UTIL, "pair", 80.0), series(ENGINE, "pair", 0.4, gpu=1)]
    assert told(prometheus_server, both) == {"pair": (0.6, 0.2)}


def test_memory_is_read_in_the_unit_of_each_series(prometheus_server: Start) -> None:
    used = "DCGM_FI_DEV_FB_USED"
    every = [
        *(series(used, "mebibytes", 40960.0, gpu=i) for i in range(2)),
        series(used, "bytes", 40960.0 * 2**20, "n2"),
        series(f"{used}_BYTES", "named", 3.0 * 2**20, "n3"),
        series(used, "none", 0.0, "n4"),
    ]
    history = asked(prometheus_server(every), "gpu_memory")["gpu_memory"]
    assert {pod: level / 2**20 for (_, pod), level in history.pod_level.items()} == pytest.approx(
        {"mebibytes": 81920.0, "bytes": 40960.0, "named": 3.0, "none": 0.0}, rel=1e-3
    )
