"""People and invitations in the embedded registry."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from pipewatcher.errors import Conflict, NotFound
from pipewatcher.model.identity import Invitation, Person
from pipewatcher.model.time import Micros
from pipewatcher.registry.sqlite_file import SQLiteFile

_FIELDS = Person.__struct_fields__
_COLUMNS = ", ".join(_FIELDS)
_EDITABLE = frozenset({"role", "password_hash", "totp_secret", "disabled", "signed_in_at"})
_INVITATION_COLUMNS = ", ".join(Invitation.__struct_fields__)


class SQLitePeople(SQLiteFile):
    async def add_person(
        self,
        name: str,
        role: str,
        password_hash: str | None,
        created_at: Micros,
        *,
        created_by: str,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> Person:
        person = {
            "name": name,
            "name_key": name.casefold(),
            "role": role,
            "password_hash": password_hash,
            "created_at": created_at,
            "created_by": created_by,
            "issuer": issuer,
            "subject": subject,
        }
        places = ", ".join("?" for _ in person)
        rows = await self._rows(
            f"INSERT INTO person ({', '.join(person)}) VALUES ({places}) "
            f"ON CONFLICT DO NOTHING RETURNING {_COLUMNS}",
            tuple(person.values()),
        )
        if not rows:
            raise Conflict(f"There is somebody named {name} already.")
        return _person(rows[0])

    async def people(self) -> list[Person]:
        return [
            _person(row) for row in await self._rows(f"SELECT {_COLUMNS} FROM person ORDER BY id")
        ]

    async def person(self, person_id: int) -> Person:
        rows = await self._rows(f"SELECT {_COLUMNS} FROM person WHERE id = ?", (person_id,))
        return _first(rows, person_id)

    async def person_named(self, name: str) -> Person | None:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM person WHERE name_key = ?", (name.casefold(),)
        )
        return _person(rows[0]) if rows else None

    async def person_of(self, issuer: str, subject: str) -> Person | None:
        rows = await self._rows(
            f"SELECT {_COLUMNS} FROM person WHERE issuer = ? AND subject = ?", (issuer, subject)
        )
        return _person(rows[0]) if rows else None

    async def update_person(
        self, person_id: int, changes: Mapping[str, str | int | None]
    ) -> Person:
        unknown = changes.keys() - _EDITABLE
        if unknown:
            raise ValueError(f"not to be edited: {', '.join(sorted(unknown))}")
        columns = ", ".join(f"{name} = ?" for name in changes)
        rows = await self._rows(
            f"UPDATE person SET {columns} WHERE id = ? RETURNING {_COLUMNS}",
            (*changes.values(), person_id),
        )
        return _first(rows, person_id)

    async def use_totp_step(self, person_id: int, step: int) -> bool:
        used = await self._rows(
            "UPDATE person SET totp_step = ?1 WHERE id = ?2 AND totp_step < ?1 RETURNING 1",
            (step, person_id),
        )
        return bool(used)

    async def remove_person(self, person_id: int) -> Person:
        def remove(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
            connection.execute("DELETE FROM session WHERE person_id = ?", (person_id,))
            return connection.execute(
                f"DELETE FROM person WHERE id = ? RETURNING {_COLUMNS}", (person_id,)
            ).fetchall()

        return _first(await self._run(remove), person_id)

    async def add_invitation(self, invitation: Invitation) -> None:
        places = ", ".join("?" for _ in Invitation.__struct_fields__)
        await self._rows(
            f"INSERT INTO invitation ({_INVITATION_COLUMNS}) VALUES ({places})",
            msgspec.structs.astuple(invitation),
        )

    async def invitations(self) -> list[Invitation]:
        rows = await self._rows(f"SELECT {_INVITATION_COLUMNS} FROM invitation ORDER BY created_at")
        fields = Invitation.__struct_fields__
        return [msgspec.convert(dict(zip(fields, row, strict=True)), Invitation) for row in rows]

    async def take_invitation(self, secret_sha256: bytes) -> bool:
        taken = await self._rows(
            "DELETE FROM invitation WHERE secret_sha256 = ? RETURNING 1", (secret_sha256,)
        )
        return bool(taken)


def _first(rows: Sequence[Sequence[object]], person_id: int) -> Person:
    if not rows:
        raise NotFound(f"There is no person {person_id}.")
    return _person(rows[0])


def _person(row: Sequence[object]) -> Person:
    values = dict(zip(_FIELDS, row, strict=True))
    values["disabled"] = bool(values["disabled"])
    return msgspec.convert(values, Person)
