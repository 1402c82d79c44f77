"""Budgets: how much may be disrupted at one moment, in one cycle and in one hour."""
