"""How large is the page of a large cluster's plan, and how long does it take to draw and to open?

The clusters of `plan.py`, planned by the whole pipeline. `seconds_to_open` is what a real Chromium takes until the page
is laid out and its script has run; `seconds_of_evidence` the share of the plan that looks how good forecasts were.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import _common
import plan as planning

_OPENED = "return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"
_PODS = 30  # of each node


def main() -> None:
    parser = _common.parser(__doc__ or "")
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--pods", type=int, help=f"{_PODS} of each node unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hot", type=float, default=0.02, help="share of the nodes that become hot")
    args = parser.parse_args()

    from descheduler.observe import Observed
    from descheduler.pipeline import decision_of, outcome_of, profile, profile_settings
    from descheduler.planning.document.evidence import with_evidence
    from descheduler.policy.telling import setting_rows
    from descheduler.report.html import to_html

    pods = args.pods if args.pods is not None else _PODS * args.nodes
    snapshot, histories, policy = planning.scene("mixed", args.nodes, pods, args.seed, args.hot, "default")
    observed = Observed(snapshot, histories, snapshot.taken_at)
    outcome = outcome_of(observed, policy, profile(observed))
    made = decision_of(outcome).plan
    began = time.perf_counter()
    document = with_evidence(made, outcome, partial(profile_settings, snapshot))
    evidence = time.perf_counter() - began
    began = time.perf_counter()
    page = to_html(replace(document, settings=setting_rows(policy)))
    drawn = time.perf_counter() - began
    figures = {
        "nodes": args.nodes,
        "pods": pods,
        "findings": len(document.findings),
        "bytes": len(page.encode()),
        "seconds_to_open": round(opened(page), 2),
        "seconds_to_draw": round(drawn, 2),
        "seconds_of_evidence": round(evidence, 2),
    }
    _common.show(f"The page of {args.nodes} nodes", figures, as_json=args.json)


def opened(page: str) -> float:
    """Seconds from asking for the page to its being laid out."""
    from controlplane.browser import Browser

    browser = Browser.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "page.html"
            file.write_text(page, encoding="utf-8")
            began = time.perf_counter()
            browser.open(file)
            browser.run("return document.body.getBoundingClientRect().height")
            return max(time.perf_counter() - began, float(browser.run(_OPENED)))
    finally:
        browser.stop()


if __name__ == "__main__":
    main()
