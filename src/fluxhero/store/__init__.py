"""What outlives the process: the journal with its projections, the venue's ledger, and Parquet."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fluxhero.store.parquet import ParquetStore as ParquetStore
    from fluxhero.store.sqlite import SQLiteStore as SQLiteStore

__all__ = ["ParquetStore", "SQLiteStore"]


def __getattr__(name: str) -> Any:
    """Lazily, for the control client must start without pyarrow."""
    if name == "SQLiteStore":
        from fluxhero.store.sqlite import SQLiteStore

        return SQLiteStore
    if name == "ParquetStore":
        from fluxhero.store.parquet import ParquetStore

        return ParquetStore
    raise AttributeError(name)
