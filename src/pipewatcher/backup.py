"""A copy of the data folder while it is in use, and a data folder made of such a copy.

All three engines are copied while the readings store stands still, so that they belong together:
the commit log's copy has everything from the store's position on. Doors go on meanwhile; what they
acknowledge waits in the commit log. Uploads are copied after that: they never change.

The manifest comes last. A backup that was cut off has none, and is not restored.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from pipewatcher import __version__
from pipewatcher.durable import sync_folder
from pipewatcher.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable

MANIFEST = "backup.json"
INSTALLATION = "installation"
IMPORTS = "imports"
CHUNK_BYTES = 2**20


class Embedded(Protocol):
    """A file that is copied as it is at one moment, from any thread."""

    def copy_to(self, folder: Path) -> None: ...


class StandingStill(Protocol):
    async def copy_to(self, folder: Path, beside: Callable[[], None]) -> None:
        """Copies the store's files; nothing is stored until `beside`, which is called on a thread,
        has returned too. Raises `StoreUnavailable`."""
        ...


class File(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    version: str
    files: list[File]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    folder: str
    files: int
    bytes: int
    seconds: float
    stood_still_s: float


class Backups:
    def __init__(self, data_dir: Path, store: StandingStill, others: Sequence[Embedded]) -> None:
        self._data_dir = data_dir
        self._store = store
        self._others = others
        self._at_work = asyncio.Lock()

    async def make(self, folder: Path) -> Made:
        """Into a folder that is not there yet; returns once everything is on its disk.

        Raises `InvalidRequest`, `Conflict` while another is made, `StoreUnavailable`; then what
        was copied stays without a manifest.
        """
        if self._at_work.locked():
            raise Conflict("Another backup is being made.")
        async with self._at_work:
            began = time.monotonic()
            await asyncio.to_thread(_make_folder, folder)
            try:
                still = time.monotonic()
                await self._store.copy_to(folder, lambda: self._copy_others(folder))
                stood_still_s = time.monotonic() - still
                files = await asyncio.to_thread(self._finish, folder)
            except OSError as error:
                raise StoreUnavailable(f"The backup cannot be written: {error}.") from error
        return Made(
            folder=str(folder),
            files=len(files),
            bytes=sum(file.bytes for file in files),
            seconds=time.monotonic() - began,
            stood_still_s=stood_still_s,
        )

    def _copy_others(self, folder: Path) -> None:
        for other in self._others:
            other.copy_to(folder)

    def _finish(self, folder: Path) -> list[File]:
        shutil.copyfile(self._data_dir / INSTALLATION, folder / INSTALLATION)
        (folder / IMPORTS).mkdir(mode=0o700)
        for path in _lasting(self._data_dir / IMPORTS):
            # An import may be discarded at any moment, and its files with it.
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, folder / IMPORTS / path.name)
        files = [_synced(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()]
        manifest = Manifest(version=__version__, files=files)
        path = folder / MANIFEST
        path.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
        _synced(path, folder)
        for made in (folder / IMPORTS, folder, folder.parent):
            sync_folder(made)
        return files


def restore(backup: Path, data_dir: Path) -> Manifest:
    """Makes `data_dir`, which must not be there or be empty, of a backup that is whole.

    Raises `NotFound`, `Conflict`, or `InvalidRequest` that names a file which is not as it was
    written. A crash leaves nothing at `data_dir`.
    """
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise NotFound(
            f"{backup} is no whole backup: it has no {MANIFEST}.",
            hint="It was cut off, or is another folder.",
        ) from error
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{backup / MANIFEST} cannot be read: {error}.") from error
    if data_dir.exists() and any(data_dir.iterdir()):
        raise Conflict(
            f"{data_dir} is not empty.", hint="Name a new folder with --data-dir, or move it away."
        )
    part = data_dir.with_name(data_dir.name + ".restoring")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    (part / IMPORTS).mkdir(mode=0o700)
    for file in manifest.files:
        _restore_file(backup, part, file)
    for made in (part / IMPORTS, part):
        sync_folder(made)
    if data_dir.exists():
        data_dir.rmdir()
    part.rename(data_dir)
    sync_folder(data_dir.parent)
    return manifest


def _restore_file(backup: Path, part: Path, file: File) -> None:
    target = part / file.name
    if not target.resolve().is_relative_to(part.resolve()):
        raise InvalidRequest(f"{file.name} of the manifest leads out of the folder.")
    try:
        shutil.copyfile(backup / file.name, target)
    except FileNotFoundError as error:
        raise InvalidRequest(f"{file.name} is missing from the backup.") from error
    if _synced(target, part) != file:
        raise InvalidRequest(f"{file.name} is not as the backup wrote it.")


def _make_folder(folder: Path) -> None:
    if not folder.is_absolute():
        raise InvalidRequest("The folder's path is not absolute.")
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be made: {error.strerror}.") from error


def _lasting(imports: Path) -> list[Path]:
    """Uploads under way and what is written right now belong to nothing that was acknowledged."""
    return [
        path
        for path in sorted(imports.iterdir())
        if not path.name.startswith("upload-") and path.suffix != ".part"
    ]


def _synced(path: Path, folder: Path) -> File:
    """The file as it stands in the manifest, once it is on the disk."""
    sha256 = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
        os.fsync(file.fileno())
    return File(name=str(path.relative_to(folder)), bytes=size, sha256=sha256.hexdigest())
