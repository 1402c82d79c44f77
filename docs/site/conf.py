"""How the pages of the repository become a site (`make site`), with every link between them checked."""

project = "descheduler"
copyright = "the authors of descheduler"  # noqa: A001  # the name is Sphinx's
root_doc = "docs/site/index"
extensions = ["myst_parser"]
include_patterns = ["docs/**", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "descheduler"
nitpicky = True
