"""Documents of profiles as Parquet: a long table with typed columns, for pandas, DuckDB, Spark and their like.

What is true of the whole document is in the file's metadata, so that it can be read back whole.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import msgspec

from descheduler.model.errors import DocumentError, UsageError
from descheduler_profiling.export import (
    ProfilesDocument,
    Row,
    SignalDocument,
    WorkloadProfile,
    from_json,
    rows,
    to_json,
)

_NEED_PYARROW = "Parquet needs pyarrow: pip install 'descheduler[parquet]', or write a .json or .csv file"
_META = b"descheduler"


def write_parquet(doc: ProfilesDocument, path: Path) -> None:
    """Write the document. Raises UsageError without pyarrow, OSError when the file cannot be written."""
    arrow, parquet = pyarrow_modules()
    words, number = arrow.dictionary(arrow.int32(), arrow.string()), arrow.float64()
    types = {
        "quantile": number,
        "horizon_seconds": arrow.int64(),
        "usage": number,
        "peak_hour": number,
        "peak_day": number,
        "confidence": number,
        "covered": number,
    }
    schema = arrow.schema([(name, types.get(name, words)) for name in Row.__slots__])
    made = list(rows(doc))
    columns = {name: [getattr(row, name) for row in made] for name in Row.__slots__}
    emptied = [msgspec.structs.replace(signal, workloads=[]) for signal in doc.signals]
    meta = {_META: to_json(msgspec.structs.replace(doc, signals=emptied))}
    parquet.write_table(arrow.table(columns, schema=schema).replace_schema_metadata(meta), path, compression="zstd")


def read_parquet(path: Path) -> ProfilesDocument:
    """The document of a file. Raises UsageError without pyarrow, DocumentError when the file is not such a document."""
    arrow, parquet = pyarrow_modules()
    try:
        table = parquet.read_table(path)
    except arrow.ArrowInvalid as error:
        raise DocumentError(f"{path}: not a Parquet file, or damaged: {error}") from error
    meta = (table.schema.metadata or {}).get(_META)
    if meta is None:
        raise DocumentError(f"{path}: a Parquet file that holds no profiles of ours")
    doc = from_json(meta)
    try:
        made = [Row(**one) for one in table.to_pylist()]
        return msgspec.structs.replace(doc, signals=[_folded(signal, made) for signal in doc.signals])
    except (TypeError, ValueError, IndexError) as error:
        raise DocumentError(f"{path}: its columns are not those of profiles: {error}") from error


def _folded(signal: SignalDocument, made: list[Row]) -> SignalDocument:
    """Rows of one signal, in the order in which they were written, back to its workloads."""
    mine = [row for row in made if row.signal == signal.signal]
    across = len(signal.horizons)
    size = across * len(signal.quantiles)
    out = []
    for start in range(0, len(mine), size):
        part = mine[start : start + size]
        first = part[0]
        usage = [row.usage for row in part if row.usage is not None]
        covered = [row.covered for row in part if row.covered is not None]
        out.append(
            WorkloadProfile(
                namespace=first.namespace,
                kind=first.kind,
                name=first.name,
                confidence=first.confidence,
                why=first.why,
                models=[part[i].model for i in range(0, size, across)] if first.model else [],
                usage=[usage[i : i + across] for i in range(0, size, across)] if usage else None,
                peak_hour=first.peak_hour,
                peak_day=first.peak_day,
                covered=[covered[i : i + across] for i in range(0, size, across)] if covered else None,
            )
        )
    return msgspec.structs.replace(signal, workloads=out)


def pyarrow_modules() -> tuple[ModuleType, ModuleType]:
    """pyarrow and pyarrow.parquet. Raises UsageError where they are not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(_NEED_PYARROW) from error
    return pyarrow, pyarrow.parquet
