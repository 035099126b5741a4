"""The shared registry: a MongoDB database that several processes of a plant use at once.

There are no transactions in it (a single node has none): every change is one document, and where
two belong together the order of the writes makes a crash between them harmless. Ids of sensors and
notifications are unique by `_id`, so of two processes that add one, exactly one is told so.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
from pymongo import AsyncMongoClient, ReadPreference, ReturnDocument, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern

from pipewatcher.errors import Conflict, DataFolderTooNew, NotFound, SettingsError, StoreUnavailable
from pipewatcher.model import ImportJob, Micros, Notification, Sensor, Session, Token
from pipewatcher.registry.mongodb_away import SETTING, no_connection

T = TypeVar("T")
Document: TypeAlias = dict[str, Any]

FORMAT = 1
"""Grows when a version changes the documents so that an older one would misread them."""
DATABASE = "pipewatcher"
"""Where the URL names none."""
SELECTION_TIMEOUT_MS = 3_000
"""How long a server is looked for."""
CONNECT_TIMEOUT_MS = 2_000
ANSWER_TIMEOUT_MS = 5_000
"""One round trip; the driver tries once more, so that no call takes more than about 15 s."""
BATCH_IDS = 500
"""Sensors per round trip when many are registered."""
ATTEMPTS = 20
"""At numbers that are free."""

_NOT_ALLOWED = frozenset({11, 13, 18, 33, 8000})
"""MongoDB's codes: UserNotFound, Unauthorized, AuthenticationFailed, no mechanism, Atlas' own."""
_DUPLICATE_KEY = 11000
_EDITABLE = frozenset(Sensor.__struct_fields__) - {"equipment_id", "created_at"}
_ENCRYPTED = re.compile(r"^mongodb\+srv:|[?&](tls|ssl)=true", re.IGNORECASE)


class MongoDBRegistry:
    """`url` is `mongodb://` or `mongodb+srv://` with everything that the driver understands in it:
    credentials, replica set, TLS."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AsyncMongoClient[Document] | None = None
        self._database: AsyncDatabase[Document] | None = None

    async def open(self) -> None:
        """Makes what is missing. Raises `SettingsError`, `DataFolderTooNew`, `StoreUnavailable`."""
        try:
            self._client = AsyncMongoClient(
                self._url,
                appname="pipewatcher",
                serverSelectionTimeoutMS=SELECTION_TIMEOUT_MS,
                connectTimeoutMS=CONNECT_TIMEOUT_MS,
                socketTimeoutMS=ANSWER_TIMEOUT_MS,
            )
            # Whatever the URL says: what was acknowledged survives a change of the primary, and
            # what is read is not taken back by one.
            self._database = self._client.get_default_database(DATABASE).with_options(
                read_preference=ReadPreference.PRIMARY,
                read_concern=ReadConcern("majority"),
                write_concern=WriteConcern(w="majority", j=True, wtimeout=ANSWER_TIMEOUT_MS),
            )
            await self._prepare()
        except BaseException as error:
            await self.close()
            if isinstance(error, PyMongoError | ValueError | TypeError | OSError):
                raise _cannot_open(
                    error, encrypted=_ENCRYPTED.search(self._url) is not None
                ) from error
            raise

    async def close(self) -> None:
        client, self._client, self._database = self._client, None, None
        if client is not None:
            await client.close()

    async def register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        wanted = list(dict.fromkeys(equipment_ids))
        new: list[str] = []
        for begin in range(0, len(wanted), BATCH_IDS):
            new += await self._register(wanted[begin : begin + BATCH_IDS], seen_at)
        return new

    async def _register(self, equipment_ids: Sequence[str], seen_at: Micros) -> list[str]:
        with _answering():
            known = self._collection("sensor").find({"_id": {"$in": equipment_ids}}, {"_id": 1})
            there = {sensor["_id"] async for sensor in known}
            unknown = [name for name in equipment_ids if name not in there]
            if not unknown:
                return []
            # Notifications first: a sensor that is there is never looked at again, so after a
            # crash between the two the next call finds it missing, and its notification made.
            await self._notify(unknown, seen_at)
            new = await _insert_missing(
                self._collection("sensor"),
                [{"_id": name, "created_at": seen_at} for name in unknown],
            )
            return [sensor["_id"] for sensor in new]

    async def _notify(self, equipment_ids: Sequence[str], seen_at: Micros) -> None:
        """One `new_sensor` for each, whoever made it. The unique key decides, not the counter."""
        notifications = self._collection("notification")
        missing = {f"new_sensor:{name}": name for name in equipment_ids}
        for _ in range(ATTEMPTS):
            last = await self._next_id("notification", len(missing))
            documents = [
                {
                    "_id": key,
                    "id": number,
                    "kind": "new_sensor",
                    "equipment_id": name,
                    "created_at": seen_at,
                }
                for number, (key, name) in enumerate(missing.items(), last - len(missing) + 1)
            ]
            made = await _insert_missing(notifications, documents)
            if len(made) == len(missing):
                return
            # It was there already, or only its number was taken.
            there = notifications.find({"_id": {"$in": list(missing)}}, {"_id": 1})
            for notification in await there.to_list():
                del missing[notification["_id"]]
            if not missing:
                return
            await self._catch_up("notification", "id")
        raise _NoFreeNumber

    async def notifications(self, limit: int, before_id: int | None = None) -> list[Notification]:
        older = {} if before_id is None else {"id": {"$lt": before_id}}
        with _answering():
            found = self._collection("notification").find(older, {"_id": 0}).sort("id", -1)
            return msgspec.convert(await found.limit(limit).to_list(), list[Notification])

    async def sensors(self) -> list[Sensor]:
        with _answering():
            found = [_sensor(document) async for document in self._collection("sensor").find()]
        return sorted(found, key=lambda sensor: sensor.equipment_id)

    async def sensor(self, equipment_id: str) -> Sensor:
        with _answering():
            found = await self._collection("sensor").find_one({"_id": equipment_id})
        if found is None:
            raise NotFound(f"There is no sensor {equipment_id}.")
        return _sensor(found)

    async def update_sensor(
        self, equipment_id: str, changes: Mapping[str, str | float | None]
    ) -> Sensor:
        unknown = changes.keys() - _EDITABLE
        if unknown:
            raise ValueError(f"not to be edited: {', '.join(sorted(unknown))}")
        if not changes:
            return await self.sensor(equipment_id)
        with _answering():
            found = await self._collection("sensor").find_one_and_update(
                {"_id": equipment_id},
                {"$set": dict(changes)},
                return_document=ReturnDocument.AFTER,
            )
        if found is None:
            raise NotFound(f"There is no sensor {equipment_id}.")
        return _sensor(found)

    async def add_token(
        self, name: str, role: str, secret_sha256: bytes, created_at: Micros
    ) -> Token:
        token = {
            "name": name,
            "role": role,
            "secret_sha256": secret_sha256,
            "created_at": created_at,
        }
        same = {"$or": [{"name": name}, {"secret_sha256": secret_sha256}]}
        with _answering():
            number = await self._insert_numbered("token", token, same)
        if number is None:
            raise Conflict(f"There is a token named {name} already.")
        return msgspec.convert({"id": number, **token}, Token)

    async def tokens(self) -> list[Token]:
        with _answering():
            found = await self._collection("token").find().sort("_id", 1).to_list()
        return [msgspec.convert({"id": token.pop("_id"), **token}, Token) for token in found]

    async def remove_token(self, token_id: int) -> None:
        with _answering():
            gone = await self._collection("token").delete_one({"_id": token_id})
        if not gone.deleted_count:
            raise NotFound(f"There is no token {token_id}.")

    async def add_session(self, session: Session) -> None:
        document = msgspec.structs.asdict(session)
        key = {"_id": document.pop("secret_sha256")}
        sessions = self._collection("session")
        with _answering():
            await _upserted(lambda: sessions.replace_one(key, document, upsert=True))

    async def session(self, secret_sha256: bytes) -> Session | None:
        with _answering():
            found = await self._collection("session").find_one({"_id": secret_sha256})
        if found is None:
            return None
        return msgspec.convert({"secret_sha256": found.pop("_id"), **found}, Session)

    async def remove_session(self, secret_sha256: bytes) -> None:
        with _answering():
            await self._collection("session").delete_one({"_id": secret_sha256})

    async def remove_expired_sessions(self, now: Micros) -> int:
        with _answering():
            gone = await self._collection("session").delete_many({"expires_at": {"$lte": now}})
        return gone.deleted_count

    async def add_import(self, job: ImportJob) -> ImportJob:
        with _answering():
            number = await self._insert_numbered("import", _document(job))
        assert number is not None
        return msgspec.structs.replace(job, id=number)

    async def save_import(self, job: ImportJob) -> None:
        with _answering():
            saved = await self._collection("import").replace_one({"_id": job.id}, _document(job))
        if not saved.matched_count:
            raise NotFound(f"There is no import {job.id}.")

    async def import_job(self, import_id: int) -> ImportJob:
        with _answering():
            found = await self._collection("import").find_one({"_id": import_id})
        if found is None:
            raise NotFound(f"There is no import {import_id}.")
        return _job(found)

    async def import_jobs(self, limit: int, before_id: int | None = None) -> list[ImportJob]:
        older = {} if before_id is None else {"_id": {"$lt": before_id}}
        with _answering():
            found = self._collection("import").find(older).sort("_id", -1).limit(limit)
            return [_job(document) async for document in found]

    def _collection(self, name: str) -> AsyncCollection[Document]:
        if self._database is None:
            raise StoreUnavailable("The registry is not open.")
        return self._database[name]

    async def _prepare(self) -> None:
        """Any number of processes may do this at once, and again at every start."""
        about = self._collection("about")
        await _upserted(
            lambda: about.update_one(
                {"_id": "registry"}, {"$setOnInsert": {"format": FORMAT}}, upsert=True
            )
        )
        written = await about.find_one({"_id": "registry"})
        if written is None or written["format"] > FORMAT:
            raise DataFolderTooNew("The registry's database was written by a newer PipeWatcher.")
        await self._collection("notification").create_index("id", unique=True)
        await self._collection("token").create_index("name", unique=True)
        await self._collection("token").create_index("secret_sha256", unique=True)
        await self._collection("session").create_index("expires_at")

    async def _insert_numbered(
        self, into: str, document: Document, same: Document | None = None
    ) -> int | None:
        """Inserts it under the next id; None when there is one that `same` finds."""
        for _ in range(ATTEMPTS):
            number = await self._next_id(into)
            try:
                await self._collection(into).insert_one({"_id": number, **document})
            except DuplicateKeyError:
                if same and await self._collection(into).find_one(same):
                    return None
                await self._catch_up(into, "_id")
            else:
                return number
        raise _NoFreeNumber

    async def _next_id(self, of: str, count: int = 1) -> int:
        """The last of the next `count` ids; the first is 1.

        A counter that came out of an old backup, or of a server that does not update in one
        step, gives numbers that are taken: so they are only proposed here, and unique indexes
        decide.
        """
        counters = self._collection("counter")
        counter = await _upserted(
            lambda: counters.find_one_and_update(
                {"_id": of},
                {"$inc": {"last": count}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        )
        assert counter is not None
        return int(counter["last"])

    async def _catch_up(self, of: str, key: str) -> None:
        """The counter goes on behind the highest number that is there."""
        highest = await self._collection(of).find_one({}, {key: 1}, sort=[(key, -1)])
        if highest is not None:
            await self._collection("counter").update_one(
                {"_id": of}, {"$max": {"last": highest[key]}}
            )


class _NoFreeNumber(PyMongoError):
    """Every number that the counter proposed was taken."""


async def _upserted(upsert: Callable[[], Awaitable[T]]) -> T:
    """Of two upserts that find nothing at once, one may fail; the second time it finds it."""
    try:
        return await upsert()
    except DuplicateKeyError:
        return await upsert()


async def _insert_missing(
    into: AsyncCollection[Document], documents: Sequence[Document]
) -> list[Document]:
    """Inserts those whose key is not there yet, and returns them."""
    try:
        await into.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(f["code"] != _DUPLICATE_KEY for f in failed):
            raise
        there = {fault["index"] for fault in failed}
        return [document for n, document in enumerate(documents) if n not in there]
    return list(documents)


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Everything that the server or the way to it can do wrong while running: try again later."""
    try:
        yield
    except PyMongoError as error:
        raise StoreUnavailable("The registry cannot answer at the moment.") from error


def _cannot_open(error: Exception, *, encrypted: bool) -> SettingsError | StoreUnavailable:
    """Never quotes the URL or the driver's words about it: they may hold the password."""
    if isinstance(error, OperationFailure):
        if error.code in _NOT_ALLOWED:
            return SettingsError(
                f"{SETTING}: MongoDB does not let this user in, or not into this database.",
                hint="Check user and password, ?authSource= (the database that holds the user, "
                "often admin), and that the user has the role readWrite.",
            )
        return StoreUnavailable(
            f"{SETTING}: MongoDB refuses to prepare the database (error {error.code}).",
            hint="MongoDB's own log says why.",
        )
    if isinstance(error, OSError):
        return SettingsError(
            f"{SETTING}: a file of certificates that it names cannot be read.",
            hint="Check the paths of tlsCAFile and tlsCertificateKeyFile, and who may read them.",
        )
    if not isinstance(error, ConnectionFailure):
        return SettingsError(
            f"{SETTING} is not an address that the MongoDB driver understands.",
            hint="mongodb://user:password@host:27017/pipewatcher?authSource=admin; write @ : / % "
            "in user or password as %40 %3A %2F %25; the name of mongodb+srv:// must be in DNS.",
        )
    return no_connection(str(error), tls=encrypted)


def _document(job: ImportJob) -> Document:
    document: Document = msgspec.to_builtins(job)
    del document["id"]
    return document


def _sensor(document: Document) -> Sensor:
    return msgspec.convert({"equipment_id": document.pop("_id"), **document}, Sensor)


def _job(document: Document) -> ImportJob:
    return msgspec.convert({"id": document.pop("_id"), **document}, ImportJob)
