"""Pages and JSON of what is kept, as a browser and a program ask for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from archive.cycles import HOUR, START, cycle, done, left, moving, write
from descheduler.archive.reading import Reader
from descheduler.archive.sqlite_file import FILE, SqliteFile
from descheduler.console.answering import Console
from descheduler.console.views import VIEWS
from descheduler.model.reasons import Reason

PATHS = {
    "/timeline": "/timeline",
    "/plans/{plan}": "/plans/p-1760000400",
    "/workloads/{workload}": "/workloads/default/ReplicaSet/web",
    "/nodes/{node}": "/nodes/n1",
    "/refusals": "/refusals",
    "/policies": "/policies",
    "/search": "/search",
}


@pytest.fixture
def console(tmp_path: Path) -> Console:
    first, second = cycle(moving("web-1")), cycle(moving("db-1"), at=START + HOUR)
    archive = write(SqliteFile(tmp_path / FILE), first, second)
    archive.executed(done(first))
    archive.executed(left(second))
    archive.close()
    return Console(Reader(SqliteFile(tmp_path / FILE)), lambda: "ready: <waiting>")


def data(console: Console, path: str, **query: str) -> tuple[int, Any]:
    reply = console.answer(path, query)
    assert reply.content_type == "application/json"
    return reply.code, json.loads(reply.body)


def page(console: Console, path: str, **query: str) -> str:
    reply = console.answer(path, query)
    assert (reply.code, reply.content_type) == (200, "text/html; charset=utf-8")
    return reply.body.decode()


def test_the_description_fits_every_answer(console: Console) -> None:
    _, described = data(console, "/openapi.json")
    for view in VIEWS:
        code, answer = data(console, f"/api/v1{PATHS[view.path]}", q="web")
        assert code == 200
        operation = described["paths"][f"/api/v1{view.path}"]["get"]
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": described["components"]}).validate(answer)
        closed = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        assert set(answer) == set(closed["properties"]), "every field is described, and answered"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/api/v1/timeline", {"days": "none"}, 400),
        ("/api/v1/timeline", {"days": "-1"}, 400),
        ("/api/v1/timeline", {"days": "nan"}, 400),
        ("/api/v1/plans/none", {}, 404),
        ("/api/v1/plans/", {}, 404),
        ("/api/v1/nothing", {}, 404),
    ],
)
def test_what_cannot_be_answered_is_told_as_described(
    console: Console, path: str, query: dict[str, str], code: int
) -> None:
    found, answer = data(console, path, **query)
    assert found == code
    assert set(answer) == {"problem"}


def test_a_plan_fits_its_schema(console: Console) -> None:
    _, schema = data(console, "/api/v1/schemas/plan.json")
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    document = msgspec.to_builtins(cycle(moving("web-1")))
    validator.validate(json.loads(json.dumps(document)))
    del document["findings"]
    assert not validator.is_valid(document)


def test_pages_lead_from_one_to_the_other(console: Console) -> None:
    timeline = page(console, "/history/")
    assert 'href="/history/plans/p-1760000400"' in timeline
    plan = page(console, "/history/plans/p-1760000400")
    assert 'href="/history/workloads/default/ReplicaSet/web"' in plan
    assert 'href="/history/nodes/n2"' in plan
    assert 'href="/reports/p-1760000400"' in plan
    assert "evicted" in page(console, "/history/workloads/default/ReplicaSet/web")
    assert "web-1" in page(console, "/history/nodes/n2")
    assert Reason.NO_GAIN.value in page(console, "/history/refusals")
    assert "in force since" in page(console, "/history/policies")
    assert 'href="/history/workloads/default/ReplicaSet/web"' in page(console, "/history/search", q="web")
    assert "Nothing that is kept" in page(console, "/history/search", q="nobody")


def test_what_others_write_is_escaped(console: Console) -> None:
    text = page(console, "/history/search", q="<script>alert(1)</script>")
    assert "<script>alert" not in text
    assert "ready: &lt;waiting&gt;" in text
    assert b"<b>" not in console.answer("/history/nodes/<b>", {}).body


def test_a_page_allows_its_own_style_and_script_alone(console: Console) -> None:
    policy = console.answer("/history/", {}).policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_without_a_place_to_keep_it_every_page_says_so() -> None:
    console = Console(None, lambda: "ready")
    reply = console.answer("/history/", {})
    assert reply.code == 404
    assert b"was started without --archive DIR" in reply.body
    assert data(console, "/api/v1/timeline")[0] == 404


def test_before_the_first_plan_it_says_so(tmp_path: Path) -> None:
    reply = Console(Reader(SqliteFile(tmp_path / FILE)), lambda: "ready").answer("/history/", {})
    assert reply.code == 503
    assert b"nothing is kept yet" in reply.body
