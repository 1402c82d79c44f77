"""What controllers will make in the place of pods that go: from which revision, as what, and whether at all."""

from descheduler.model.remaking.replacements import Replacement, Replacements, replacements

__all__ = ["Replacement", "Replacements", "replacements"]
