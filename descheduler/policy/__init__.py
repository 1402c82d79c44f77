"""What users write: the policy file, its problems with line and column, its schema, its defaults."""

from descheduler.policy.default import default_policy, default_policy_text
from descheduler.policy.loading import (
    load_policy,
    policy_hash,
    policy_text,
    written_mode,
    written_policy,
)
from descheduler.policy.policy import API_VERSION, Policy, StrategyChoice
from descheduler.policy.schema import json_schema
from descheduler.policy.set_values import Setting, newly_doubted, with_values
from descheduler.policy.written import WrittenPolicy

__all__ = [
    "API_VERSION",
    "Policy",
    "Setting",
    "StrategyChoice",
    "WrittenPolicy",
    "default_policy",
    "default_policy_text",
    "json_schema",
    "load_policy",
    "newly_doubted",
    "policy_hash",
    "policy_text",
    "with_values",
    "written_mode",
    "written_policy",
]
