"""Profiles for people: the document, and its views as table, plot and page."""
