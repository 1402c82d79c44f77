"""A descheduler for Kubernetes that plans before it acts and proves every move."""

__version__ = "0.1.0"
