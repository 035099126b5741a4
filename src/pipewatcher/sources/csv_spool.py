"""The files of imports: what was uploaded, and the rows that were refused.

Both are kept: the line that a reading came from is looked up in the upload later.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipewatcher.durable import sync, sync_folder, write_whole
from pipewatcher.errors import BodyTooLarge, Busy, DiskFull, StoreUnavailable
from pipewatcher.sources.csv_dialect import REASON, Dialect, LineFault, field_starts
from pipewatcher.sources.csv_reader import BadRow

UPLOAD_BYTES_MAX = 16 * 2**30
WRITE_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that is synced to disk and belongs to no import yet."""

    path: Path
    bytes_total: int
    content_sha256: str


class Spool:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> None:
        """Makes the folder; drops uploads that a crash cut off: nobody was told of them."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in (*self._folder.glob("upload-*"), *self._folder.glob("*.part")):
            left.unlink(missing_ok=True)

    def file(self, import_id: int) -> Path:
        return self._folder / f"{import_id}.csv"

    def rejected(self, import_id: int) -> Path:
        return self._folder / f"{import_id}-rejected.csv"

    def forecast(self, import_id: int) -> Path:
        return self._folder / f"{import_id}-dry-run.json"

    def keep_forecast(self, import_id: int, forecast: bytes) -> None:
        write_whole(self.forecast(import_id), forecast)

    async def receive(self, chunks: AsyncIterator[bytes], admit: Callable[[], None]) -> Upload:
        """Returns once everything is synced. Raises `BodyTooLarge`, and what `admit` raises, which
        is asked before each write, `DiskFull` or `StoreUnavailable`; then nothing is left behind.
        """
        path = self._folder / f"upload-{uuid.uuid4().hex}"
        try:
            total, sha256 = await _spool(chunks, path, admit)
        except BaseException as error:
            path.unlink(missing_ok=True)
            # Not of the disk but of the sender, who went away.
            if isinstance(error, OSError) and not isinstance(error, ConnectionError):
                raise _as_busy(error) from error
            raise
        return Upload(path=path, bytes_total=total, content_sha256=sha256)

    def keep(self, upload: Upload, import_id: int) -> None:
        """The upload is this import's, also after a crash, when it returns. Raises as `receive`:
        then it may be or not."""
        try:
            upload.path.rename(self.file(import_id))
            sync_folder(self._folder)
        except OSError as error:
            raise _as_busy(error) from error


class RejectedRows:
    """Writes the refused rows as they came, with a `reason` column, ready to be mended and sent.

    The file appears, synced, when the context ends; without refused rows there is none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_suffix(".part")
        self._file: BinaryIO | None = None

    def __enter__(self) -> RejectedRows:
        self._path.unlink(missing_ok=True)
        return self

    def write(self, dialect: Dialect, rows: list[BadRow]) -> None:
        if self._file is None:
            self._file = self._part.open("wb")
            column = b"" if dialect.ends_in_reason else dialect.delimiter + REASON.encode()
            self._file.write(dialect.header + column + b"\n")
        for row in rows:
            reason = f"line {row.line}, {row.field}: {row.reason}".replace('"', "'").encode()
            text = _without_reason(row.text, dialect)
            self._file.write(text + dialect.delimiter + b'"' + reason + b'"\n')

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            sync(self._file)
            self._file.close()
            self._part.replace(self._path)
            sync_folder(self._path.parent)


def _without_reason(text: bytes, dialect: Dialect) -> bytes:
    """The row without the reason for which it was refused an earlier time."""
    if not dialect.ends_in_reason:
        return text
    try:
        starts = field_starts(text, dialect.delimiter)
    except LineFault:
        head, _, reason = text.rpartition(dialect.delimiter + b'"line ')
        return head if reason else text
    return text[: starts[-1] - 1] if len(starts) == dialect.fields else text


async def _spool(
    chunks: AsyncIterator[bytes], path: Path, admit: Callable[[], None]
) -> tuple[int, str]:
    sha256 = hashlib.sha256()
    total = 0
    waiting = bytearray()

    def write(file: BinaryIO, data: bytes) -> None:
        file.write(data)
        sha256.update(data)

    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            waiting += chunk
            total += len(chunk)
            if total > UPLOAD_BYTES_MAX:
                raise BodyTooLarge(f"An upload has at most {UPLOAD_BYTES_MAX} bytes.")
            if len(waiting) >= WRITE_BYTES:
                admit()
                await asyncio.to_thread(write, file, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(write, file, bytes(waiting))
        await asyncio.to_thread(sync, file)
    return total, sha256.hexdigest()


def _as_busy(error: OSError) -> Busy:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFull()
    return StoreUnavailable(f"The disk does not take the upload: {error.strerror}.")
