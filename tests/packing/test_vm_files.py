"""The benchmark's reader of virtual machine files, and its replay."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from descheduler.model.errors import UsageError
from descheduler.packing.rearrange.rearrangement import rearrange

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("_vms", BENCHMARKS / "_vms.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["_vms"] = module
    sys.path.append(str(BENCHMARKS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


vms = load()


def host(name: str, cpu: int = 44, status: str = "ACTIVE") -> dict[str, Any]:
    # The stored free_cpu is a lie on purpose: it is to be ignored.
    domains = [{"node": n, "total_cpu": cpu, "free_cpu": 1, "memory_huge_total_mb": 184388.0} for n in (0, 1)]
    return {"node_id": name, "status": status, "numa": domains}


def vm(name: str, on: str, cpu: float, *domains: int, mem: float = 1.0, **more: object) -> dict[str, Any]:
    shares = [{"node": n, "cpu": cpu, "mem_mb": cpu * 1024 * mem} for n in domains]
    return {"instance_id": name, "host_id": on, "numa": shares, **more}


def write(path: Path, hosts: list[dict[str, Any]], machines: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"cluster_list": [{"host_info": hosts, "vm_instance": machines}]}))
    return path


def planned(path: Path, moves: int) -> tuple[list[tuple[str, str, str, str]], Any]:
    fleet = vms.read(path)
    problem = vms.problem(fleet, moves)
    rows = problem.rows(rearrange(problem.flows).moves)
    return rows, vms.replayed(fleet, rows)


def test_free_cores_follow_from_the_vms(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [host("h")], [vm("a", "h", 40, 0), vm("b", "h", 20, 1)])
    start = vms.replayed(vms.read(path), [])
    assert (start.free, start.slots) == (28, 1)
    assert start.fragment_rate == pytest.approx(12 / 28)


def test_a_vm_on_both_domains_moves_to_both_domains(tmp_path: Path) -> None:
    # g holds 32 on both domains; without the 4 + 4 of d, 16 are free on each.
    machines = [vm("d", "g", 4, 0, 1), vm("big", "g", 28, 0, 1, allow_migration=False)]
    path = write(tmp_path / "a.json", [host("g"), host("h", cpu=4)], machines)
    rows, end = planned(path, 1)
    assert rows == [("d", "g", "h", "0-1")]
    assert (end.fault, end.slots) == ("", 2)


def test_inactive_hosts_and_vms_that_may_not_migrate_are_left_alone(tmp_path: Path) -> None:
    hosts = [host("g"), host("h", status="MAINTAIN"), host("i", cpu=4)]
    stuck = [vm("s", "g", 4, 0, allow_migration=False), vm("big", "g", 28, 0), vm("full", "g", 44, 1)]
    path = write(tmp_path / "a.json", hosts, [*stuck, vm("x", "h", 4, 0)])
    rows, end = planned(path, 3)
    assert rows == []
    assert end.free == 12 + 8


def test_memory_counts_too(tmp_path: Path) -> None:
    machines = [vm("a", "g", 4, 0), vm("big", "g", 28, 0), vm("full", "g", 44, 1)]
    roomy = write(tmp_path / "a.json", [host("g"), host("i", cpu=4)], machines)
    assert [row[:3] for row in planned(roomy, 1)[0]] == [("a", "g", "i")]
    hungry = [vm("a", "g", 4, 0, mem=10), vm("m", "i", 0, 0, 1), *machines[1:]]
    for share in hungry[1]["numa"]:
        share["mem_mb"] = 184388.0 - 4096
    assert planned(write(tmp_path / "b.json", [host("g"), host("i", cpu=4)], hungry), 1)[0] == []


def test_the_replay_tells_a_row_without_room(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [host("g"), host("i", cpu=4)], [vm("a", "g", 8, 0)])
    fleet = vms.read(path)
    assert "no room" in vms.replayed(fleet, [("a", "g", "i", "0")]).fault
    assert "may not go from i" in vms.replayed(fleet, [("a", "i", "g", "1")]).fault
    assert "keeps none" in vms.replayed(fleet, [("a", "g", "g", "0")]).fault


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "not a file of hosts"),
        ('{"cluster_list": [{"host_info": [{"numa": []}], "vm_instance": []}]}', "node_id"),
        ("{", "not a file of hosts"),
    ],
)
def test_a_file_that_is_not_the_format_is_refused_with_its_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=said) as raised:
        vms.read(path)
    assert "bad.json" in str(raised.value)


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ([vm("a", "nowhere", 4, 0)], "VM a stands on nowhere"),
        ([vm("a", "g", 4, 7)], "NUMA domain 7"),
        ([vm("a", "g", 4)], "names no NUMA domain"),
        ([vm("a", "g", 4, 0), vm("a", "g", 4, 1)], "VM a stands in it twice"),
        ([vm("a", "g", -4, 0)], "less than nothing"),
    ],
)
def test_vms_that_do_not_match_the_hosts_are_refused(tmp_path: Path, machines: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        vms.read(write(tmp_path / "a.json", [host("g")], machines))


def test_the_command_writes_the_plan_and_its_figures(tmp_path: Path) -> None:
    machines = [vm("a", "g", 4, 0), vm("big", "g", 28, 0), vm("full", "g", 44, 1)]
    path = write(tmp_path / "a.json", [host("g"), host("i", cpu=4)], machines)
    plan = tmp_path / "plan.csv"
    bare = tmp_path / "bare.csv"
    command = [sys.executable, str(BENCHMARKS / "vm_rescheduling.py"), "--case"]
    given = [str(path), "--moves", "1", "--json", "--plan-out", str(plan), "--bare", "--bare-plan-out", str(bare)]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    assert {"mode", "fr_start", "fr_end", "seconds", "executable", "moves", "bound", "peak_mib"} <= figures.keys()
    assert (figures["fr_start"], figures["fr_end"], figures["executable"]) == (1.0, 0.2, True)
    assert (figures["bare_fr_start"], figures["bare_fr_end"], figures["bare_executable"]) == (1.0, 0.2, True)
    assert plan.read_text().splitlines() == ["vm,from_host,to_host", "a,g,i"]
    header, row = bare.read_text().splitlines()
    assert header == "vm,from_host,to_host,numa"
    assert row in ("a,g,i,0", "a,g,i,1")

    elsewhere = subprocess.run(
        [*command, *given[:4], "--mode", "predicted"], capture_output=True, text=True, check=True
    )
    figures = json.loads(elsewhere.stdout.splitlines()[-1])
    assert (figures["mode"], figures["moves"], figures["fr_end"]) == ("predicted", 0, 1.0)

    missing = subprocess.run([*command, str(tmp_path / "none.json")], capture_output=True, text=True)
    assert missing.returncode == 1
    assert "none.json" in missing.stderr
