"""Every way of saying that pods belong together. A new one is one file here and one line below."""

from __future__ import annotations

from descheduler.gangs.dialects.jobset import JobSet, TrainJob
from descheduler.gangs.dialects.kai import Kai
from descheduler.gangs.dialects.koordinator import Koordinator
from descheduler.gangs.dialects.kubeflow import Kubeflow
from descheduler.gangs.dialects.kubernetes import Kubernetes
from descheduler.gangs.dialects.kueue import Kueue
from descheduler.gangs.dialects.leader_worker_set import LeaderWorkerSet
from descheduler.gangs.dialects.ray import Ray
from descheduler.gangs.dialects.scheduler_plugins import SchedulerPlugins
from descheduler.gangs.dialects.spark import Spark
from descheduler.gangs.dialects.volcano import Volcano
from descheduler.gangs.dialects.volcano_job import VolcanoJob
from descheduler.gangs.vocabulary import Dialect

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
