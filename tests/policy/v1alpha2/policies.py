"""Policies of the Kubernetes SIG's descheduler in the shapes of its documentation, and the marks of their mistakes."""

from __future__ import annotations

import pytest

from descheduler.model.errors import PolicyError
from descheduler.policy import written_policy

HEAD = "apiVersion: descheduler/v1alpha2\nkind: DeschedulerPolicy\n"

CHART = """\
apiVersion: "descheduler/v1alpha2"
kind: "DeschedulerPolicy"
profiles:
- name: default
  pluginConfig:
  - name: DefaultEvictor
    args:
      podProtections:
        defaultDisabled: ["PodsWithLocalStorage"]
        extraEnabled: ["PodsWithPVC"]
  - name: RemoveDuplicates
  - name: RemovePodsHavingTooManyRestarts
    args:
      podRestartThreshold: 100
      includingInitContainers: true
  - name: RemovePodsViolatingNodeAffinity
    args:
      nodeAffinityType: [requiredDuringSchedulingIgnoredDuringExecution]
  - name: RemovePodsViolatingNodeTaints
  - name: RemovePodsViolatingInterPodAntiAffinity
  - name: RemovePodsViolatingTopologySpreadConstraint
  - name: LowNodeUtilization
    args:
      thresholds: {cpu: 20, memory: 20, pods: 20}
      targetThresholds: {cpu: 50, memory: 50, pods: 50}
  plugins:
    balance:
      enabled: [RemoveDuplicates, RemovePodsViolatingTopologySpreadConstraint, LowNodeUtilization]
    deschedule:
      enabled:
      - RemovePodsHavingTooManyRestarts
      - RemovePodsViolatingNodeTaints
      - RemovePodsViolatingNodeAffinity
      - RemovePodsViolatingInterPodAntiAffinity
"""
"""What the Helm chart installs when nobody says otherwise (charts/descheduler/values.yaml)."""

EVICTOR = """\
profiles:
- name: p
  pluginConfig:
  - name: DefaultEvictor
    args: {args}
  - name: PodLifeTime
    args: {{maxPodLifeTimeSeconds: 86400}}
  plugins: {{deschedule: {{enabled: [PodLifeTime]}}}}
"""


def with_evictor(args: str) -> str:
    """A policy whose one profile has these arguments of DefaultEvictor, in YAML of one line."""
    return HEAD + EVICTOR.format(args=args)


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        written_policy(text, "p.yaml")
    return list(caught.value.problems)
