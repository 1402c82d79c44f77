"""Every way of saying that pods belong together. A new one is one file here and one line below."""

from __future__ import annotations

from descheduler.units.dialects.jobset import JobSet, TrainJob
from descheduler.units.dialects.kai import Kai
from descheduler.units.dialects.koordinator import Koordinator
from descheduler.units.dialects.kubeflow import Kubeflow
from descheduler.units.dialects.kubernetes import Kubernetes
from descheduler.units.dialects.kueue import Kueue
from descheduler.units.dialects.leader_worker_set import LeaderWorkerSet
from descheduler.units.dialects.ray import Ray
from descheduler.units.dialects.scheduler_plugins import SchedulerPlugins
from descheduler.units.dialects.spark import Spark
from descheduler.units.dialects.volcano import Volcano
from descheduler.units.dialects.volcano_job import VolcanoJob
from descheduler.units.gangs import Dialect

DIALECTS: tuple[Dialect, ...] = (
    Kubernetes(),
    SchedulerPlugins(),
    Koordinator(),
    Volcano(),
    Kai(),
    Kueue(),
    JobSet(),
    TrainJob(),
    LeaderWorkerSet(),
    Kubeflow(),
    Ray(),
    VolcanoJob(),
    Spark(),
)
