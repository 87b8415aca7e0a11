"""What a state holds, as Parquet tables for whoever wants to look at it elsewhere. Money in USD, ts in UTC ns."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fluxhero.core import journal
from fluxhero.core.explain import GATE_NAMES, MODES, sentence
from fluxhero.kernel import codes
from fluxhero.messages import Quality
from fluxhero.store.queries import Reader
from fluxhero.store.sqlite import StoreError
from fluxhero.store.view import OPENING

TS, TEXT, USD, COUNT = pa.int64(), pa.string(), pa.float64(), pa.int64()
SCHEMAS: dict[str, list[tuple[str, pa.DataType]]] = {
    "bars": [
        ("ts", TS), ("symbol", TEXT), ("timeframe", TEXT), ("open", USD), ("high", USD), ("low", USD),
        ("close", USD), ("volume", pa.float64()), ("quality", TEXT),
    ],
    "decisions": [
        ("ts", TS), ("symbol", TEXT), ("outcome", TEXT), ("mode", TEXT), ("gate", TEXT), ("value", pa.float64()),
        ("limit", pa.float64()), ("qty", COUNT), ("why", TEXT),
    ],
    "orders": [
        ("cid", TEXT), ("symbol", TEXT), ("side", TEXT), ("type", TEXT), ("qty", COUNT), ("limit", USD),
        ("stop", USD), ("status", TEXT), ("filled", COUNT), ("avg_price", USD), ("ts", TS),
    ],
    "fills": [
        ("exec_id", TEXT), ("cid", TEXT), ("ts", TS), ("price", USD), ("qty", COUNT), ("fee", USD),
    ],
    "positions": [("symbol", TEXT), ("qty", COUNT), ("avg_price", USD), ("opened", TS)],
    "equity": [("ts", TS), ("equity", USD), ("cash", USD)],
}  # fmt: skip
OUTCOMES = {codes.FLAT: "flat", codes.ENTER: "signal", codes.EXIT: "signal", codes.REFUSED: "refusal"}
BATCH = 65_536


class ParquetStore:
    """A folder of Parquet files, each written whole or not at all."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            raise StoreError(f"{directory} cannot hold tables: {e.strerror}") from None
        self.directory = directory

    def write(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """A table of SCHEMAS, snappy."""
        schema = pa.schema(SCHEMAS[name])
        final = self.directory / f"{name}.parquet"
        unfinished = final.with_suffix(".tmp")
        with pq.ParquetWriter(unfinished, schema, compression="snappy") as writer:
            for batch in _batches(rows):
                columns = zip(*batch, strict=True)
                writer.write_table(
                    pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema)
                )
        self._place(unfinished, final)

    def write_json(self, name: str, value: dict[str, Any]) -> None:
        unfinished = self.directory / f"{name}.tmp"
        unfinished.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        self._place(unfinished, self.directory / f"{name}.json")

    @staticmethod
    def _place(unfinished: Path, final: Path) -> None:
        with unfinished.open("rb") as f:
            os.fsync(f.fileno())
        unfinished.replace(final)


def export(reader: Reader, store: ParquetStore, timeframe: str) -> None:
    """Every table of a state."""
    symbols = reader.symbols
    store.write("bars", _bars(reader, timeframe))
    store.write("decisions", _decisions(reader))
    store.write("orders", _orders(reader))
    sql = "SELECT exec_id, cid, at, price / 1e6, qty, fee / 1e6 FROM fills ORDER BY n"
    store.write("fills", reader.db.execute(sql))
    sql = f"SELECT slot, opened, qty, {OPENING} FROM positions ORDER BY slot"
    positions = reader.db.execute(sql)
    store.write("positions", ((symbols[s], qty, paid / 1e6 / n, opened) for s, opened, qty, paid, n in positions))
    store.write("equity", reader.db.execute("SELECT ts, equity / 1e6, cash / 1e6 FROM equity ORDER BY ts"))


def seals(reader: Reader) -> Iterator[journal.Seal]:
    for (body,) in reader.db.execute("SELECT body FROM journal WHERE kind = 'seal' ORDER BY seq"):
        yield journal.read(journal.Seal, body)


def _bars(reader: Reader, timeframe: str) -> Iterator[tuple[Any, ...]]:
    symbols = reader.symbols
    for seal in seals(reader):
        for b in seal.bars:
            quality = Quality(b.quality).name.lower()
            yield b.start, symbols[b.slot], timeframe, b.open, b.high, b.low, b.close, b.volume, quality


def _decisions(reader: Reader) -> Iterator[tuple[Any, ...]]:
    for body, judged in reader.db.execute("SELECT body, judged FROM decisions ORDER BY n"):
        d, j = journal.read(journal.Decided, body), journal.read(journal.Judged, judged) if judged else None
        refused = j is not None and j.gate != codes.OPEN
        by = j if j is not None and refused else d
        venue = reader.refusal(d.slot, d.ts) if d.action == codes.ENTER else ""
        outcome, gate = "refusal" if refused or venue else OUTCOMES[d.action], "venue" if venue else GATE_NAMES[by.gate]
        symbol, qty = reader.symbols[d.slot], j.qty if j else 0
        why = sentence(symbol, d, j, venue)
        yield d.ts, symbol, outcome, MODES[d.mode], gate, by.value, by.limit, qty, why


def _orders(reader: Reader) -> Iterator[tuple[Any, ...]]:
    sql = "SELECT cid, slot, side, type, qty, stop, state, filled, paid, ts FROM orders ORDER BY n"
    for cid, slot, side, kind, qty, stop, state, filled, paid, ts in reader.db.execute(sql):
        average = paid / filled / 1e6 if filled else None
        shown = stop / 1e6 if kind == "stop" else None
        buy = "buy" if side > 0 else "sell"
        yield cid, reader.symbols[slot], buy, kind, qty, None, shown, state, filled, average, ts


def _batches(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
