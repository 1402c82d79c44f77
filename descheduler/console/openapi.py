"""The description of the JSON by OpenAPI 3.1, made from the types that are answered."""

from __future__ import annotations

from typing import Any

import msgspec

from descheduler import __version__
from descheduler.console.views import API, DAYS, LONGEST, VIEWS, View
from descheduler.model.plan import PlanDocument

PLAN_SCHEMA = "/schemas/plan.json"
_DAYS = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST, "default": DAYS}


def openapi() -> dict[str, Any]:
    """The document."""
    kinds = [view.kind for view in VIEWS]
    schemas, parts = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    paths = {
        f"{API}{view.path}": {"get": _operation(view, schema)} for view, schema in zip(VIEWS, schemas, strict=True)
    }
    paths[f"{API}{PLAN_SCHEMA}"] = {
        "get": {
            "operationId": "plan_schema",
            "summary": "The JSON Schema of plans, as /reports/ID.json answers them.",
            "responses": {"200": _json("A JSON Schema.", {"type": "object"})},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "descheduler history", "version": __version__},
        "paths": paths,
        "components": {"schemas": parts},
    }


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of plan documents."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(PlanDocument)}


def _operation(view: View, schema: dict[str, Any]) -> dict[str, Any]:
    inside = [{"name": view.parameter, "in": "path", "required": True, "schema": {"type": "string"}}]
    behind = [
        {"name": name, "in": "query", "schema": _DAYS if name == "days" else {"type": "string"}}
        for name in view.queries
    ]
    errors = {"400": "A parameter that cannot be taken.", "404": "Not kept.", "503": "The archive cannot be read."}
    return {
        "operationId": view.page.partition(".")[0],
        "summary": view.text,
        "parameters": [*(inside if view.parameter else ()), *behind],
        "responses": {
            "200": _json(view.text, schema),
            **{code: _json(text, _PROBLEM) for code, text in errors.items()},
        },
    }


_PROBLEM = {"type": "object", "properties": {"problem": {"type": "string"}}, "required": ["problem"]}


def _json(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
