"""What a sweep has tried, in Parquet: parts of a folder, each written whole and never touched again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fluxhero.lab.grid import Value, kinds
from fluxhero.lab.points import NUMBERS, Number
from fluxhero.lab.statistics import Alike, unpacked
from fluxhero.messages import Array
from fluxhero.section import ConfigError, Section

ALIKE = b"fluxhero.alike"
COLUMNS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}

Told = tuple[Value, ...]  # a point, as its values


class Kept:
    """The rows of a folder, in parts that are never touched again."""

    def __init__(self, folder: Path, params: type[Section]) -> None:
        self.folder, self._schema = folder, _schema(params)
        self._names = params.__struct_fields__
        self.rows: dict[Told, dict[str, Number]] = {}  # metrics, by the values of the parameters
        self.alike, self._new, self._new_alike = Alike(), list[Told](), Alike()
        for part in sorted(folder.glob("*.parquet")):
            self._read(part)

    def _read(self, part: Path) -> None:
        try:
            table = pq.read_table(part)
            self.alike.join(unpacked(table.schema.metadata[ALIKE]))
        except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as e:
            raise ConfigError(f"{part} is no part of a sweep ({e}); delete it, its points are tried anew") from None
        for row in table.to_pylist():
            self.rows[tuple(row[f"param_{name}"] for name in self._names)] = {name: row[name] for name in NUMBERS}

    def add(self, told: Told, metrics: dict[str, Number], moved: Array) -> None:
        self.rows[told] = metrics
        self._new.append(told)
        self._new_alike.add(moved)

    def save(self) -> None:
        """What is new, as a part of its own."""
        if not self._new:
            return
        new, alike = sorted(self._new), self._new_alike
        params = [f"param_{name}" for name in self._names]
        rows = [{**dict(zip(params, told, strict=True)), **self.rows[told]} for told in new]
        table = pa.Table.from_pylist(rows, self._schema.with_metadata({ALIKE: alike.packed()}))
        part = self.folder / f"{hashlib.blake2b(repr(new).encode(), digest_size=8).hexdigest()}.parquet"
        pq.write_table(table, part.with_suffix(".new"), compression="snappy")
        part.with_suffix(".new").replace(part)
        self.alike.join(alike)
        self._new, self._new_alike = [], Alike()


def _schema(params: type[Section]) -> pa.Schema:
    keys = {f"param_{name}": kind for name, kind in kinds(params).items()}
    return pa.schema([(name, COLUMNS[kind]) for name, kind in {**keys, **NUMBERS}.items()])
