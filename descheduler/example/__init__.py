"""The embedded example cluster, its policy, and the small makers of objects and usage that it is drawn with."""
