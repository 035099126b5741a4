"""The little of a DuckDB cursor that the SQL modules need; the driver stays in one file."""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa


class Cursor(Protocol):
    def execute(self, query: str, parameters: object = ...) -> Cursor: ...

    def fetchone(self) -> tuple[Any, ...] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...

    def fetchnumpy(self) -> dict[str, Any]: ...

    def register(self, view_name: str, python_object: pa.Table) -> object: ...

    def unregister(self, view_name: str) -> object: ...


def insert(cursor: Cursor, table: str, rows: pa.Table) -> None:
    """Appends `rows`, whose columns are those of `table` in their order."""
    cursor.register("arrived", rows)
    cursor.execute(f"INSERT INTO {table} SELECT * FROM arrived")
    cursor.unregister("arrived")


def one(cursor: Cursor, query: str, parameters: object = ()) -> tuple[Any, ...]:
    """The only row of a query that always has one.

    Read to its end: outside a transaction, a result that waits for more keeps one open, and no
    checkpoint can be made beside it.
    """
    [row] = cursor.execute(query, parameters).fetchall()
    return row
