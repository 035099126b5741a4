"""Dead letters in the embedded registry."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from pipewatcher.errors import NotFound
from pipewatcher.model.readings import DeadLetter
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = DeadLetter.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_INSERT = (
    f"INSERT INTO dead_letter ({', '.join(_FIELDS[1:])}) "
    f"VALUES ({', '.join('?' * (len(_FIELDS) - 1))})"
)
_FILTER = (
    "(?1 IS NULL OR door = ?1) AND "
    "(?2 IS NULL OR reason LIKE ?2 ESCAPE '\\' OR topic LIKE ?2 ESCAPE '\\')"
)
_TOO_MANY = """
DELETE FROM dead_letter WHERE id <= (
    SELECT id FROM (
        SELECT id, count(*) OVER newer AS letters, sum(length(payload)) OVER newer AS bytes
        FROM dead_letter WINDOW newer AS (ORDER BY id DESC))
    WHERE letters > ? OR bytes > ? ORDER BY id DESC LIMIT 1)
"""


class SQLiteDeadLetters(SQLiteFile):
    async def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        rows = [_row(letter)[1:] for letter in letters]

        def add(connection: sqlite3.Connection) -> None:
            connection.executemany(_INSERT, rows)

        await self._run(add)

    async def dead_letters(
        self,
        limit: int,
        before_id: int | None = None,
        *,
        door: str | None = None,
        text: str | None = None,
    ) -> list[DeadLetter]:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM dead_letter "
            f"WHERE {_FILTER} AND (?3 IS NULL OR id < ?3) ORDER BY id DESC LIMIT ?4",
            (door, _like(text), before_id, limit),
        )
        return [_letter(row) for row in rows]

    async def count_dead_letters(
        self, *, door: str | None = None, text: str | None = None
    ) -> tuple[int, int]:
        rows = await self._rows(
            f"SELECT count(*), coalesce(sum(length(payload)), 0) FROM dead_letter WHERE {_FILTER}",
            (door, _like(text)),
        )
        letters, size = rows[0]
        assert isinstance(letters, int)
        assert isinstance(size, int)
        return letters, size

    async def dead_letter(self, letter_id: int) -> DeadLetter:
        rows = await self._rows(f"SELECT {_COLUMNS} FROM dead_letter WHERE id = ?", (letter_id,))
        if not rows:
            raise NotFound(f"There is no dead letter {letter_id}.")
        return _letter(rows[0])

    async def save_dead_letter(self, letter: DeadLetter) -> None:
        columns = ", ".join(f"{name} = ?" for name in _FIELDS[1:])
        saved = await self._rows(
            f"UPDATE dead_letter SET {columns} WHERE id = ? RETURNING 1",
            (*_row(letter)[1:], letter.id),
        )
        if not saved:
            raise NotFound(f"There is no dead letter {letter.id}.")

    async def remove_dead_letter(self, letter_id: int) -> None:
        if not await self._rows("DELETE FROM dead_letter WHERE id = ? RETURNING 1", (letter_id,)):
            raise NotFound(f"There is no dead letter {letter_id}.")

    async def trim_dead_letters(self, count_max: int, bytes_max: int) -> int:
        return await self._run(
            lambda connection: connection.execute(_TOO_MANY, (count_max, bytes_max)).rowcount
        )


def _like(text: str | None) -> str | None:
    if text is None:
        return None
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _row(letter: DeadLetter) -> tuple[object, ...]:
    return msgspec.structs.astuple(
        msgspec.structs.replace(letter, rejections=msgspec.json.encode(letter.rejections))
    )


def _letter(row: Sequence[object]) -> DeadLetter:
    values = dict(zip(_FIELDS, row, strict=True))
    rejections = values["rejections"]
    assert isinstance(rejections, bytes)
    return msgspec.convert({**values, "rejections": msgspec.json.decode(rejections)}, DeadLetter)
