"""The executor `live-migrate`: virtual machines of KubeVirt move while they run."""
