"""Makes the files of the Helm chart that say what manifests/ says: `make chart`.

Rights and admission policies are written once, in manifests/. Here their files become templates: a condition around
each, and the release's namespace in the place of `descheduler`. A test holds the chart against manifests/.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
MANIFESTS: Final = ROOT / "manifests"
CHART: Final = ROOT / "charts" / "descheduler"
VALUES_SCHEMA: Final = ROOT / "release" / "values.schema.json"
"""What the chart's values may be, without the policy, whose schema is that of `descheduler policy schema`."""

ALWAYS: Final = ""
ACTIVE: Final = 'eq .Values.mode "active"'
RIGHTS: Final = {
    "base/read-cluster.yaml": ALWAYS,
    "base/own-state.yaml": ALWAYS,
    "overlays/active/evict.yaml": ACTIVE,
    "overlays/active/acting-state.yaml": ACTIVE,
    "components/direct/directions.yaml": f"and ({ACTIVE}) .Values.acting.directed",
    "components/direct/policy.yaml": f"and ({ACTIVE}) .Values.acting.directed",
    "components/steer/steer.yaml": f"and ({ACTIVE}) .Values.acting.steered",
    "components/reserve/reserve.yaml": f"and ({ACTIVE}) .Values.acting.reserve",
    "components/surge/surge.yaml": f"and ({ACTIVE}) .Values.acting.surge",
    "components/surge/policy.yaml": f"and ({ACTIVE}) .Values.acting.surge",
    "components/requeue/requeue.yaml": f"and ({ACTIVE}) .Values.acting.requeue",
    "components/requeue/policy.yaml": f"and ({ACTIVE}) .Values.acting.requeue",
    "components/live-migrate/live-migrate.yaml": f"and ({ACTIVE}) .Values.acting.liveMigrate",
    "components/recommend/recommend.yaml": ".Values.recommend",
    "components/authenticated-pages/authenticate.yaml": ".Values.authenticate",
    "components/authenticated-pages/pages-reader.yaml": ".Values.authenticate",
}
"""Files of manifests/ and when the chart has what is in them."""
NAMESPACED: Final = ("Role", "RoleBinding", "ConfigMap")


def files() -> Iterator[tuple[Path, str]]:
    """Every file of the chart that is made from others, with its text."""
    for source, condition in RIGHTS.items():
        part, name = Path(source).parent.name, Path(source).stem
        text = template(f"manifests/{source}", (MANIFESTS / source).read_text(), condition)
        yield CHART / "templates" / "rights" / (f"{part}-{name}.yaml" if name == "policy" else f"{name}.yaml"), text
    rules = yaml.safe_load((MANIFESTS / "components" / "monitoring" / "prometheus-rule.yaml").read_text())
    yield CHART / "files" / "alerts.yaml", yaml.safe_dump(rules["spec"], sort_keys=False, width=120)
    yield CHART / "files" / "dashboard.json", (MANIFESTS / "components" / "dashboard" / "dashboard.json").read_text()
    yield CHART / "values.schema.json", json.dumps(values_schema(), indent=2, ensure_ascii=False) + "\n"


def template(source: str, text: str, condition: str) -> str:
    """A file of manifests/ as a template. No template language is in it: what looks like that is refused."""
    if "{{" in text:
        raise ValueError(f"{source} has braces that Helm would read")
    made = "---\n".join(_document(part) for part in re.split(r"^---\n", text, flags=re.MULTILINE))
    made = made.replace("system:serviceaccount:descheduler:", "system:serviceaccount:{{ .Release.Namespace }}:")
    made = re.sub(r"^(\s+namespace:) descheduler$", r"\1 {{ .Release.Namespace }}", made, flags=re.MULTILINE)
    head = f"{{{{- /* Made from {source} by `make chart`. */}}}}\n"
    return f"{head}{{{{- if {condition} }}}}\n{made}{{{{- end }}}}\n" if condition else head + made


def _document(text: str) -> str:
    """One object with the labels of the release, in its namespace."""
    found = yaml.safe_load(text)
    meta = found["metadata"]
    more = ["  labels:", '    {{- include "descheduler.labels" . | nindent 4 }}']
    if found["kind"] in NAMESPACED and "namespace" not in meta:
        more.insert(0, "  namespace: descheduler")
    text = re.sub(r"^  labels:\n(    .*\n)+", "", text, count=1, flags=re.MULTILINE) if "labels" in meta else text
    return re.sub(r"^(  name: .*)$", "\n".join((r"\1", *more)), text, count=1, flags=re.MULTILINE)


def values_schema() -> dict[str, Any]:
    """The schema of values.yaml, in which `policy` is what a policy may be."""
    schema: dict[str, Any] = json.loads(VALUES_SCHEMA.read_text())
    policy: dict[str, Any] = json.loads((MANIFESTS / "schema" / "policy.v1alpha1.json").read_text())
    schema["$defs"] = policy.pop("$defs")
    schema["properties"]["policy"] = {key: value for key, value in policy.items() if not key.startswith("$")}
    return schema


def main() -> int:
    """Write them; with --check say which are not as they should be, and return 1 if any is."""
    stale = [(path, text) for path, text in files() if not path.exists() or path.read_text() != text]
    for path, text in stale:
        print(path.relative_to(ROOT))  # noqa: T201
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(bool(stale) and "--check" in sys.argv[1:])


if __name__ == "__main__":
    raise SystemExit(main())
