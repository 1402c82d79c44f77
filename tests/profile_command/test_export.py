"""Documents of profiles: written, read back, refused."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from descheduler.model.errors import DocumentError, UsageError
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling import export, export_files
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from histories import history, peaking

WEB = WorkloadKey("shop", "Deployment", "web")
DB = WorkloadKey("shop", "StatefulSet", "db")
GONE = WorkloadKey("old", "Job", "gone")


@pytest.fixture(scope="module")
def profiles() -> list[SignalProfiles]:
    silent = np.full(2016, np.nan, np.float32)
    cpu = history("cpu", {WEB: peaking(0.5, 2.0, 60), DB: 1.0, GONE: silent})
    return [build(cpu), build(history("memory", {DB: 2.0**30}, complete=False))]


@pytest.fixture(scope="module")
def doc(profiles: list[SignalProfiles]) -> export.ProfilesDocument:
    return export.document(profiles, created=1_760_000_000.0, cluster="prod")


def test_the_document_says_what_the_profiles_say(doc: export.ProfilesDocument, profiles: list[SignalProfiles]) -> None:
    cpu, memory = doc.signals
    assert (cpu.signal, cpu.unit, cpu.horizons) == ("cpu", "cores", [900, 3600, 21600, 86400])
    assert [one.name for one in cpu.workloads] == ["gone", "web", "db"]
    web = cpu.workloads[1]
    reported = profiles[0].profile(profiles[0].row(WEB))
    np.testing.assert_allclose(np.array(web.usage), reported.table, rtol=1e-6)
    assert web.models == list(reported.chosen)
    np.testing.assert_allclose(np.array(web.covered), reported.coverage, rtol=1e-6)
    assert 0.85 <= np.array(web.covered)[1].mean() <= 1
    assert (memory.complete, memory.problems) == (False, ["2 of 7 days are missing"])


def test_a_workload_without_a_profile_has_no_numbers(doc: export.ProfilesDocument) -> None:
    gone = doc.signals[0].workloads[0]
    assert (gone.confidence, gone.usage, gone.peak_hour, gone.peak_day, gone.models) == (0.0, None, None, None, [])
    assert gone.why
    assert gone.covered is None


def test_what_has_no_day_behind_it_has_covered_nothing_yet() -> None:
    young = export.document([build(history("cpu", {DB: 1.0}, days=1))], created=1_760_000_000.0)
    one = young.signals[0].workloads[0]
    assert one.confidence > 0
    assert one.covered is None


def test_usage_of_many_is_that_of_each(profiles: list[SignalProfiles]) -> None:
    made = profiles[0]
    rows = np.array([made.row(DB), made.row(WEB)])
    for i, q in enumerate(made.quantiles):
        table = export.usage(made, rows, q)
        np.testing.assert_allclose(table, [made.profile(int(row)).table[i] for row in rows], rtol=1e-6)
    other = export.usage(made, rows, 0.8)
    assert other.shape == (2, 4)
    np.testing.assert_allclose(other[:, 0], made.at(made.vectors[rows], 0.8, 900))


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_what_was_written_is_read_back(doc: export.ProfilesDocument, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"profiles{suffix}"
    export_files.write(doc, path)
    assert export_files.read(path) == doc


def test_parquet_is_a_long_table_that_others_can_read(doc: export.ProfilesDocument, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    export_files.write(doc, tmp_path / "profiles.parquet")
    table = parquet.read_table(tmp_path / "profiles.parquet")
    assert table.num_rows == 4 * 3 * 4  # workloads, quantiles, horizons
    assert {"namespace", "signal", "quantile", "horizon_seconds", "usage", "peak_day"} <= set(table.column_names)
    gone = [row for row in table.to_pylist() if row["name"] == "gone"]
    assert {row["usage"] for row in gone} == {None}


def test_csv_has_a_line_for_each_number(doc: export.ProfilesDocument) -> None:
    lines = list(csv.DictReader(io.StringIO(export.to_csv(doc))))
    assert len(lines) == 48
    web = next(x for x in lines if (x["name"], x["quantile"], x["horizon_seconds"]) == ("web", "0.95", "3600"))
    assert float(web["usage"]) == doc.signals[0].workloads[1].usage[1][1]  # type: ignore[index]
    assert {x["usage"] for x in lines if x["name"] == "gone"} == {""}


def test_parquet_without_pyarrow_says_how_to_get_it(
    doc: export.ProfilesDocument, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"descheduler\[parquet\]"):
        export_files.write(doc, tmp_path / "profiles.parquet")
    assert not (tmp_path / "profiles.parquet").exists()


def test_other_suffixes_and_places_are_refused(doc: export.ProfilesDocument, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.json, \.csv, \.parquet, not \.xls"):
        export_files.write(doc, tmp_path / "profiles.xls")
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        export_files.write(doc, tmp_path / "nowhere" / "profiles.json")
    with pytest.raises(UsageError, match="cannot be read"):
        export_files.read(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "a later version, 2; this program reads 1"),
        ({"format": "something"}, "its format is 'something'"),
        ({"signals": 3}, "damaged"),
    ],
)
def test_foreign_later_and_damaged_documents_are_refused(
    doc: export.ProfilesDocument, change: dict[str, object], message: str
) -> None:
    data = json.dumps({**json.loads(export.to_json(doc)), **change}).encode()
    with pytest.raises(DocumentError, match=message):
        export.from_json(data)


def test_foreign_parquet_is_refused(doc: export.ProfilesDocument, tmp_path: Path) -> None:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    path = tmp_path / "x.parquet"
    path.write_bytes(b"PAR1 no, it is not")
    with pytest.raises(DocumentError, match="not a Parquet file"):
        export_files.read(path)
    parquet.write_table(arrow.table({"a": [1]}), path)
    with pytest.raises(DocumentError, match="no profiles of ours"):
        export_files.read(path)
    meta = {b"descheduler": export.to_json(msgspec.structs.replace(doc, signals=doc.signals))}
    parquet.write_table(arrow.table({"a": [1]}).replace_schema_metadata(meta), path)
    with pytest.raises(DocumentError, match="columns are not those of profiles"):
        export_files.read(path)
