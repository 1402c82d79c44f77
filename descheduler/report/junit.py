"""A plan as JUnit XML, which pipelines show as tests: one for each finding, and one for the data.

What is cured passes, what is not fails, what is left alone is skipped; what could not be looked at is an error.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from descheduler.model.plan import FindingRow, PlanDocument
from descheduler.model.printable import printable
from descheduler.report import lead, words


def to_junit(plan: PlanDocument) -> bytes:
    """One suite for each strategy, and one for the data; names are those of the plan."""
    root = ET.Element("testsuites", name=f"descheduler plan {plan.id}")
    wrong = tuple(filter(None, (plan.acting_blocked, *plan.problems, *plan.unlooked)))
    data = _suite(root, "data", 1, errors=bool(wrong))
    case = ET.SubElement(data, "testcase", classname="data", name="all that the policy asks for was looked at")
    if wrong:
        _say(case, "error", wrong[0], "\n".join(dict.fromkeys(wrong)))
    by_strategy: dict[str, list[lead.Fate]] = {}
    for fate in lead.fates(plan):
        by_strategy.setdefault(fate.finding.strategy, []).append(fate)
    for strategy, fates in by_strategy.items():
        outcomes = [fate.finding.outcome for fate in fates]
        failures = sum(outcome in ("eased", "unanswered") for outcome in outcomes)
        suite = _suite(root, strategy, len(fates), failures=failures, skipped=outcomes.count("left-alone"))
        for fate in fates:
            _finding(suite, fate)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(
    root: ET.Element, name: str, tests: int, *, failures: int = 0, errors: int = 0, skipped: int = 0
) -> ET.Element:
    counts = {"tests": tests, "failures": failures, "errors": int(errors), "skipped": skipped}
    return ET.SubElement(root, "testsuite", {"name": printable(name), **{key: str(n) for key, n in counts.items()}})


def _finding(suite: ET.Element, fate: lead.Fate) -> None:
    found = fate.finding
    name = printable(f"{words.subject(found.subject)}: {found.measure}")
    case = ET.SubElement(suite, "testcase", classname=printable(found.strategy), name=name)
    text = f"{found.text}; {words.OUTCOMES.get(found.outcome, found.outcome)}" + (
        f": {fate.why}" if fate.why and found.outcome != "cured" else ""
    )
    if found.outcome == "left-alone":
        ET.SubElement(case, "skipped", message=printable(text))
    elif found.outcome in ("eased", "unanswered"):
        _say(case, "failure", text, _numbers(found))
    else:
        ET.SubElement(case, "system-out").text = printable(text)


def _numbers(found: FindingRow) -> str:
    now, limit, after = (words.level(found, value) for value in (found.value, found.threshold, found.after))
    return "\n".join(filter(None, (f"now {now}, limit {limit}, with the plan {after}", words.refused(found))))


def _say(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=printable(message)).text = printable(text)
