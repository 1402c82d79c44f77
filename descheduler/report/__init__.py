"""Views of a plan document, by the names in `formats`: JSON and YAML, tables for terminals, a page for browsers."""
