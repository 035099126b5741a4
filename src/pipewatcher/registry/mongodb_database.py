"""The one connection to the shared registry, its numbering, and what goes wrong on the way.

There are no transactions in it (a single node has none): every change is one document, and where
two belong together the order of the writes makes a crash between them harmless.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

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

from pipewatcher.errors import DataFolderTooNew, SettingsError, StoreUnavailable
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
ATTEMPTS = 20
"""At numbers that are free."""

_NOT_ALLOWED = frozenset({11, 13, 18, 33, 8000})
"""MongoDB's codes: UserNotFound, Unauthorized, AuthenticationFailed, no mechanism, Atlas' own."""
_DUPLICATE_KEY = 11000
_ENCRYPTED = re.compile(r"^mongodb\+srv:|[?&](tls|ssl)=true", re.IGNORECASE)


class MongoDBDatabase:
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

    def _collection(self, name: str) -> AsyncCollection[Document]:
        if self._database is None:
            raise StoreUnavailable("The registry is not open.")
        return self._database[name]

    async def _prepare(self) -> None:
        """Any number of processes may do this at once, and again at every start."""
        about = self._collection("about")
        await upserted(
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
        await self._collection("session").create_index("person_id")
        await self._collection("person").create_index("name_key", unique=True)
        await self._name_subjects()
        await self._collection("person").create_index("subject_key", unique=True)

    async def _name_subjects(self) -> None:
        """People of before there were providers: null may not stand twice in a unique index."""
        people = self._collection("person")
        async for person in people.find({"subject_key": {"$exists": False}}):
            key = subject_key(person["name"], None, None)
            await people.update_one({"_id": person["_id"]}, {"$set": {"subject_key": key}})

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
        raise NoFreeNumber

    async def _next_id(self, of: str, count: int = 1) -> int:
        """The last of the next `count` ids; the first is 1.

        A counter that came out of an old backup, or of a server that does not update in one
        step, gives numbers that are taken: so they are only proposed here, and unique indexes
        decide.
        """
        counters = self._collection("counter")
        counter = await upserted(
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


def subject_key(name: str, issuer: str | None, subject: str | None) -> str:
    """Stands for an issuer's subject, and for the name of whom no issuer knows."""
    return f"name {name.casefold()}" if issuer is None else f"issuer {issuer} {subject}"


class NoFreeNumber(PyMongoError):
    """Every number that the counter proposed was taken."""


async def upserted(upsert: Callable[[], Awaitable[T]]) -> T:
    """Of two upserts that find nothing at once, one may fail; the second time it finds it."""
    try:
        return await upsert()
    except DuplicateKeyError:
        return await upsert()


async def insert_missing(
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
def answering() -> Iterator[None]:
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
