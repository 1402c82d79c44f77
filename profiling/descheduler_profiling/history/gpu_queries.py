"""The PromQL of GPUs: one series for each pod, of whatever exporters there are, in one unit.

Nodes differ. One exporter has the profiling counters, another has not, or has no right to read them and reports 0; one
counts percent and MiB, another writes ratios and bytes under the same name; labels of one scrape are honoured, those of
another are not. So no metric, unit or label is chosen for the whole cluster: of each GPU all that is said is put
together, and each series is read in its own unit.

Metrics: NVIDIA/dcgm-exporter etc/default-counters.csv and dcp-metrics-included.csv. NVIDIA/DCGM dcgmlib/dcgm_fields.h
has DCGM_FI_DEV_GPU_UTIL_RATIO and DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO since 4.6; the first was another name of percent
then, and is a ratio now.
"""

from __future__ import annotations

from collections.abc import Sequence

ENGINE = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO")
"""Ratios of the time in which a GPU or a MIG instance did anything: profiling counters."""

UTILIZATION = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_UTIL_RATIO")
"""The same without profiling. Says nothing of a MIG instance: there it is absent or 0."""

GPU_ACTIVITY = (*ENGINE, *UTILIZATION)
"""Metrics of DCGM that say how busy a GPU is, the most telling first."""

_ENGINE_PARTS = ("DCGM_FI_PROF_SM_ACTIVE", "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE", "DCGM_FI_PROF_DRAM_ACTIVE")
_VIDEO = ("DCGM_FI_DEV_ENC_UTIL", "DCGM_FI_DEV_DEC_UTIL")  # engines that the utilization leaves out
_FRAMEBUFFER = ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_USED_BYTES")

_NAMESPACES, _PODS = ("pod_namespace", "exported_namespace"), ("pod_name", "exported_pod")  # the last one counts
_GPU = "namespace, pod, UUID, gpu, GPU_I_ID"  # GPU_I_ID: of a MIG instance
_SERIES = f"{_GPU}, {', '.join((*_NAMESPACES, *_PODS))}, instance, node, Hostname, hostname"
_SCRAPED, _SAID = "scraped_in", "said"  # the namespace of the exporter; it, and what the exporter says
_ANY = 'UUID!="-"'  # the first matcher of a selector is ours, so that `$match` follows one; this one excludes nothing
_UNSLICED = 'GPU_I_ID=""'
_LARGEST_RATIO = "1.5"  # more is percent; percent is whole numbers, so that less is 0 or 1
_MOST = "100"  # what is more is no measurement: 2^63 is how DCGM says "blank"
_ONE_TIB = str(1 << 20)  # MiB: no GPU has as many, and who counts bytes never has less but 0


def activity(spaces: str = "") -> str:
    """How busy the GPUs of a pod are, 0 to 1: their mean, each by what says most of it.

    Tensor cores, memory and video engines count where the GPU as a whole is measured; alone they say too little.
    `spaces` as in `_of_pods`.
    """
    beside = f"({_ratios(_ENGINE_PARTS)} or {_in_either_unit(_VIDEO)}) and on ({_SERIES}) {_reported()}"
    return _of_pods("avg", "max", f"{_measured()} or {beside}", spaces)


def least_activity(spaces: str = "") -> str:
    """The same by what says least of each GPU: where that is nothing and `activity` is much, one of them is wrong."""
    return _of_pods("avg", "min", _measured(), spaces)


def memory_used(spaces: str = "") -> str:
    """Bytes of GPU memory in use over the GPUs of a pod, the most of the window."""
    tops = _each(_FRAMEBUFFER, "max_over_time", _ANY)
    return _of_pods("sum", "max", f"({tops}) >= {_ONE_TIB} or ({tops}) * {_ONE_TIB}", spaces)


def _measured() -> str:
    """Of each GPU one series for each metric that measures it as a whole."""
    return f"{_ratios(ENGINE)} or {_in_either_unit(UTILIZATION)}"


def _reported() -> str:
    """The series of these metrics as they are now."""
    engine, utilization = (f'__name__=~"{"|".join(names)}"' for names in (ENGINE, UTILIZATION))
    return f"({{{engine}$gpus$match}} or {{{utilization},{_UNSLICED}$gpus$match}})"


def _each(names: Sequence[str], how: str, matcher: str) -> str:
    """The series of several metrics over the window, kept apart by a label `metric`.

    Only labels that matter stay: what joins series compares all that they have, at each step.
    """
    inside = f"{matcher}$gpus$match"
    return " or ".join(
        f'label_replace(max by ({_SERIES}) ({how}({name}{{{inside}}}[$window])), "metric", "{name}", "", "")'
        for name in names
    )


def _ratios(names: Sequence[str]) -> str:
    return _each(names, "avg_over_time", _ANY)


def _in_either_unit(names: Sequence[str]) -> str:
    """Metrics that are percent of one exporter and ratios of another, as ratios.

    Percent is what goes beyond the largest ratio, and all that an exporter says that says so of any GPU. What cannot be
    told is taken for a ratio, the larger of the two: a GPU is not called idle by mistake.
    """
    mean, top = (_exporter(_each(names, f"{how}_over_time", _UNSLICED)) for how in ("avg", "max"))
    percent = f"max by (exporter, metric) ({top} <= {_MOST}) > bool {_LARGEST_RATIO}"
    return f"({mean} / on (exporter, metric) group_left () (1 + 99 * ({percent})) <= {_MOST})"


def _exporter(series: str) -> str:
    """The series with a label that names its exporter, or the GPU where nothing tells exporters apart."""
    joined = f'label_join({series}, "exporter", "|", "instance", "node", "Hostname", "hostname", "UUID")'
    return f'label_replace({joined}, "exporter", "$1", "exporter", "(.*[^|].*)[|][^|]*")'


def _of_pods(across: str, within: str, series: str, spaces: str) -> str:
    """From series of GPUs to those of the pods that use them: `within` each GPU, `across` those of a pod.

    With honorLabels the exporter's own labels are `pod` and so on; without it, those are of the exporter's pod and what
    it says is in `exported_pod`. `pod_name` is the exporter before 2.0. Anybody's pod may say so of others': where
    `spaces`, a pattern, is given, only exporters in the namespaces that match it are believed.
    """
    named = f"{within} by ({_SERIES}) ({series})"
    if spaces:
        named = f'label_replace({named}, "{_SCRAPED}", "$1", "namespace", "({spaces})")'
    for label, others in {"namespace": _NAMESPACES, "pod": _PODS}.items():
        for other in others:
            named = _replaced(named, label, other, by_space=bool(spaces))
    return f"{across} by (namespace, pod) ({within} by ({_GPU}) ({named}){_NOT_THE_EXPORTER})"


def _replaced(series: str, label: str, other: str, *, by_space: bool) -> str:
    """The series with `other` in the place of `label` where there is such a label, by the namespace if that counts."""
    if not by_space:
        return f'label_replace({series}, "{label}", "$1", "{other}", "(.+)")'
    both = f'label_join({series}, "{_SAID}", "/", "{_SCRAPED}", "{other}")'
    return f'label_replace({both}, "{label}", "$1", "{_SAID}", "[^/]+/(.+)")'


_ALL = f'__name__=~"{"|".join((*GPU_ACTIVITY, *_FRAMEBUFFER))}"'
_NOT_THE_EXPORTER = (
    " unless on (namespace, pod) vector(1)"  # a GPU that nobody uses
    f' unless on (namespace, pod) {{{_ALL},exported_pod!=""$gpus$match}}'
)
