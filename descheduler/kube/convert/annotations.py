"""Which annotations are kept: those that some part of the program reads. The rest (most of an object's bytes after
managedFields: last-applied configurations, network status, checksums) is dropped when an object is read.
"""

from __future__ import annotations

from collections.abc import Iterable

KEPT_PREFIXES: tuple[str, ...] = (
    # protections and hints of deschedulers and autoscalers
    "descheduler.",  # descheduler.alpha.kubernetes.io/evict
    "rebalance.descheduler.dev/",  # our own
    "cluster-autoscaler.kubernetes.io/",  # safe-to-evict
    "karpenter.sh/",  # do-not-disrupt
    "autoscaling.cast.ai/removal-disabled",
    "controller.kubernetes.io/",  # pod-deletion-cost
    "kubernetes.io/config.",  # static and mirror pods: config.mirror, config.source
    "volume.kubernetes.io/selected-node",
    "deployment.kubernetes.io/revision",  # which ReplicaSet a Deployment is at
    "vpaObservedContainers",  # whose requests a VerticalPodAutoscaler sets when pods are made
    "vpaUpdates",
    "node.machine.sapcloud.io/trigger-deletion-by-mcm",
    "weave.works/kured-reboot-in-progress",
    "kured.dev/kured-reboot-in-progress",
    # OpenKruise's PodUnavailableBudgets
    "pub.kruise.io/",
    "kruise.io/related-pub",
    "kruise.io/pub-",
    "storageclass.",  # the default class
    # gangs
    "gang.scheduling.koordinator.sh/",
    "pod-group.scheduling.sigs.k8s.io",
    "scheduling.k8s.io/",  # group-name, of Volcano's predecessor
    "scheduling.x-k8s.io/",
    "scheduling.sigs.k8s.io/",
    "scheduling.volcano.sh/",
    "volcano.sh/",
    "pod-group-name",  # KAI
    "kai.scheduler/",
    "run.ai/",
    "runai-",
    "kueue.x-k8s.io/",
    "jobset.sigs.k8s.io/",
    "leaderworkerset.sigs.k8s.io/",
    "batch.kubernetes.io/",
    "training.kubeflow.org/",
    "trainer.kubeflow.org/",
    "ray.io/",
    "sparkoperator.k8s.io/",
    # quotas, priorities, devices
    "koordinator.sh/",
    "scheduling.koordinator.sh/",
    "node.koordinator.sh/",
    "quota.scheduling.koordinator.sh/",
    "alibabacloud.com/gpu-",
    "nvidia.com/",
    "hami.io/",
    "gpu-fraction",  # KAI, and -num-devices
    "gpu-memory",
    "ALIYUN_COM_GPU_MEM_",
    "scheduler.framework.gpushare.allocation",
    # data caches
    "fluid.io/",
    "data.fluid.io/",
)


_REMEMBERED = 10_000


class AnnotationFilter:
    """Keeps the annotations of `KEPT_PREFIXES` and of further prefixes or whole keys that a policy names."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._prefixes = (*KEPT_PREFIXES, *more)
        self._dropped: set[str] = set()  # keys seen before; there are few, on very many objects

    def __call__(self, annotations: dict[str, str] | None) -> dict[str, str]:
        if not annotations or self._dropped.issuperset(annotations):
            return {}
        kept = {key: value for key, value in annotations.items() if key.startswith(self._prefixes)}
        if len(self._dropped) < _REMEMBERED:
            self._dropped.update(key for key in annotations if key not in kept)
        return kept
