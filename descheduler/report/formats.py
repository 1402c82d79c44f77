"""The formats that a plan is written in. A further one is a file with a function from a plan to text or bytes, and its
line in `FORMATS`; the command line offers it and checks nothing else.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from types import MappingProxyType

from descheduler.model.plan import PlanDocument
from descheduler.report.backtests.document import Backtest, Tuning

Document = PlanDocument | Backtest | Tuning

FORMATS = MappingProxyType(
    {
        "table": "descheduler.report.table:to_text",
        "wide": "descheduler.report.table:to_wide_text",
        "json": "descheduler.report.serial:to_indented_json",
        "yaml": "descheduler.report.serial:to_yaml",
        "html": "descheduler.report.html:to_html",
    }
)
"""`module:function` by name; imported when it is used, because libraries that draw take half a second."""

COMPARISON_FORMATS = ("table", "json", "html")
"""Those of plans side by side."""


BACKTEST_FORMATS = MappingProxyType(
    {
        "table": "descheduler.report.backtests.table:to_text",
        "json": "descheduler.report.serial:to_indented_json",
        "html": "descheduler.report.backtests.page:to_html",
    }
)
"""The same of backtests."""

TUNING_FORMATS = MappingProxyType(
    {
        "table": "descheduler.report.backtests.table:tuning_to_text",
        "json": "descheduler.report.serial:to_indented_json",
        "html": "descheduler.report.backtests.page:tuning_to_html",
    }
)
"""The same of tunings."""

_OF = (
    (Backtest, BACKTEST_FORMATS),
    (Tuning, TUNING_FORMATS),
    (PlanDocument, FORMATS),
)


def written(document: Document, form: str) -> bytes:
    """The document in the format of that name.

    Raises:
        DocumentError: the plan holds numbers that are none.
    """
    formats = next(formats for kind, formats in _OF if isinstance(document, kind))
    write: Callable[[Document], str | bytes] = pkgutil.resolve_name(formats[form])
    made = write(document)
    return made.encode() if isinstance(made, str) else made
