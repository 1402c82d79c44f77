"""The formats that a plan is written in. A further one is a file with a function from a plan to text or bytes, and its
line in `FORMATS`; the command line offers it and checks nothing else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from descheduler.model.plan import PlanDocument

if TYPE_CHECKING:  # named below, so that whoever follows imports finds them
    from descheduler.report import junit as junit
    from descheduler.report import markdown as markdown

FORMATS = MappingProxyType(
    {
        "table": "descheduler.report.table:to_text",
        "wide": "descheduler.report.table:to_wide_text",
        "json": "descheduler.report.serial:to_indented_json",
        "yaml": "descheduler.report.serial:to_yaml",
        "html": "descheduler.report.html:to_html",
        "markdown": "descheduler.report.markdown:to_markdown",
        "junit": "descheduler.report.junit:to_junit",
    }
)
"""`module:function` by name; imported when it is used, because libraries that draw take half a second."""

SIDE_BY_SIDE = ("table", "json", "html")
"""Those of plans side by side, of backtests and of tunings."""


def written(plan: PlanDocument, form: str) -> bytes:
    """The plan in the format of that name.

    Raises:
        DocumentError: the plan holds numbers that are none.
    """
    write: Callable[[PlanDocument], str | bytes] = pkgutil.resolve_name(FORMATS[form])
    made = write(plan)
    return made.encode() if isinstance(made, str) else made
