"""Profiles given to others: as metrics, and as Koordinator Recommendation objects."""
