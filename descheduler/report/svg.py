"""SVG as matplotlib writes it, made fit to stand in a page.

Colours become classes, so that the page's style sheet decides about light and dark; `style` attributes become
presentation attributes, so that a strict Content-Security-Policy holds; ids, which would clash between charts, go; a
cell that was given a name becomes a plain rectangle with a tooltip. What remains is about a third of the size.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree as ET

_SVG = "{http://www.w3.org/2000/svg}"
_NUMBER = re.compile(r"-?\d+\.\d+")
_DROPPED = frozenset(
    {"id", "clip-path", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "font-family", "font"}
)
_DRAWN = frozenset({"path", "text", "rect"})


def tidy(text: str, classes: Mapping[str, str], label: str, tips: Mapping[str, str] | None = None) -> str:
    """`classes` names the class of each colour; `label` says what the chart shows; `tips` by the name of a cell."""
    root = ET.fromstring(text)
    width, height = root.attrib["viewBox"].split()[2:]
    out = ET.Element("svg", {"viewBox": f"0 0 {_short(width)} {_short(height)}", "role": "img", "aria-label": label})
    _copy(root, out, classes, tips or {})
    ET.indent(out, "")
    return _NUMBER.sub(lambda m: _short(m[0]), ET.tostring(out, encoding="unicode")).replace("\n", "")


def _copy(source: ET.Element, target: ET.Element, classes: Mapping[str, str], tips: Mapping[str, str]) -> None:
    """Copy what is drawn, without the groups around it."""
    for element in source:
        tag = element.tag.removeprefix(_SVG)
        name = element.get("id", "")
        if tag == "g" and name in tips:
            _cell(element, target, classes, tips[name])
        elif tag in _DRAWN:
            _drawn(element, tag, target, classes)
        elif tag == "g":
            _copy(element, target, classes, tips)


def _drawn(element: ET.Element, tag: str, target: ET.Element, classes: Mapping[str, str]) -> None:
    attributes, names = _look(element, classes)
    if tag == "path" and not attributes.get("d", "").strip():
        return
    if (
        "fill:none" in names
        and attributes.get("stroke", "none") == "none"
        and not any(n.startswith("s-") for n in names)
    ):
        return
    if tag == "text":
        attributes.pop("transform", None) if "rotate(-0" in attributes.get("transform", "") else None
    kept = [n for n in names if n != "fill:none"]
    if "fill:none" in names:
        attributes["fill"] = "none"
    if kept:
        attributes["class"] = " ".join(kept)
    copy = ET.SubElement(target, tag, attributes)
    copy.text = (element.text or "").strip() or None


def _look(element: ET.Element, classes: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Attributes, those of `style` among them, and the classes of the colours."""
    attributes = {k: v for k, v in element.attrib.items() if k not in ("style", *_DROPPED) and not k.startswith("{")}
    names: list[str] = []
    for part in element.get("style", "").split(";"):
        key, _, value = (piece.strip() for piece in part.partition(":"))
        if key in ("fill", "stroke"):
            word = classes.get(value.lower())
            if word:
                names.append(f"{key[0]}-{word}")
            elif value == "none" and key == "fill":
                names.append("fill:none")
            elif value != "none":
                attributes[key] = value
        elif key == "font":
            attributes["font-size"] = value.split("px")[0].split()[-1]
        elif key and key not in _DROPPED:
            attributes[key] = value.removesuffix("px")
    return attributes, names


def _cell(group: ET.Element, target: ET.Element, classes: Mapping[str, str], tip: str) -> None:
    path = next(element for element in group.iter() if element.tag == f"{_SVG}path")
    attributes, names = _look(path, classes)
    numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", attributes.pop("d"))]
    xs, ys = numbers[::2], numbers[1::2]
    box = {"x": min(xs), "y": min(ys), "width": max(xs) - min(xs), "height": max(ys) - min(ys)}
    wide = {"stroke-width": attributes["stroke-width"]} if "stroke-width" in attributes else {}
    rect = ET.SubElement(target, "rect", {k: f"{v:.1f}" for k, v in box.items()} | wide | {"class": " ".join(names)})
    ET.SubElement(rect, "title").text = tip


def _short(number: str) -> str:
    """One decimal is a tenth of a pixel."""
    return f"{float(number):.1f}".removesuffix(".0")
