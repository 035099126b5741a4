"""How a group of appends lies in one row of the embedded commit log.

    group   "PWG1" | crc32 of all that follows | batches | readings
    batch   lengths, widths and import block | event times | values | codes | origin codes
            | equipmentIds | origins | zeros up to a multiple of 8

Numbers are little-endian. Texts are UTF-8 and joined by line feeds, which no equipmentId and no
origin can hold. Codes are as narrow as their dictionary allows. The eight-byte columns start at
multiples of eight, so that a decoded batch is a view of the row and not a copy.

SQLite keeps a torn commit out; the checksum is for what it cannot see: a disk that garbles pages.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipewatcher.errors import CommitLogDamaged
from pipewatcher.model.readings import Batch, ImportBlock
from pipewatcher.model.time import Micros

MAGIC = b"PWG1"

_GROUP = struct.Struct("<4sIII")
_CHECKSUM = struct.Struct("<I")
_COUNTS = struct.Struct("<II")
_BATCH = struct.Struct("<IIIIIBBBxqq")
_CHECKED_FROM = 8
_ALIGNMENT = 8

_HAS_BLOCK = 1
_KEEP_STORED = 2

_CODE_TYPES: dict[int, np.dtype[np.unsignedinteger[Any]]] = {
    1: np.dtype("<u1"),
    2: np.dtype("<u2"),
    4: np.dtype("<u4"),
}
_EVENT_TIME = np.dtype("<i8")
_VALUE = np.dtype("<f8")


def batch_of_readings(
    equipment_ids: Sequence[str],
    event_times: Sequence[Micros],
    values: Sequence[float],
    origins: Sequence[str],
) -> Batch:
    """Readings that came one by one, as columns; the order stays."""
    names: dict[str, int] = {}
    codes = [names.setdefault(name, len(names)) for name in equipment_ids]
    doors: dict[str, int] = {}
    origin_codes = [doors.setdefault(origin, len(doors)) for origin in origins]
    return Batch(
        equipment_ids=list(names),
        codes=np.array(codes, np.uint32),
        event_times=np.array(event_times, np.int64),
        values=np.array(values, np.float64),
        origins=list(doors),
        origin_codes=np.array(origin_codes, np.uint32) if len(doors) > 1 else None,
    )


def encode_batch(batch: Batch) -> bytes:
    """Raises `ValueError` when the columns differ in length or a text holds a line feed."""
    readings = len(batch)
    if not readings == len(batch.event_times) == len(batch.values):
        raise ValueError("the columns of a batch have one length")
    names = _joined(batch.equipment_ids)
    origins = _joined(batch.origins)
    width = _width(len(batch.equipment_ids))
    parts = [
        batch.event_times.astype(_EVENT_TIME, copy=False).tobytes(),
        batch.values.astype(_VALUE, copy=False).tobytes(),
        batch.codes.astype(_CODE_TYPES[width]).tobytes(),
    ]
    origin_width = 0
    if batch.origin_codes is not None:
        if len(batch.origin_codes) != readings:
            raise ValueError("the columns of a batch have one length")
        origin_width = _width(len(batch.origins))
        parts.append(batch.origin_codes.astype(_CODE_TYPES[origin_width]).tobytes())
    parts += [names, origins]
    block = batch.block
    header = _BATCH.pack(
        readings,
        len(batch.equipment_ids),
        len(names),
        len(batch.origins),
        len(origins),
        width,
        origin_width,
        0 if block is None else _HAS_BLOCK | (_KEEP_STORED if block.keep_stored else 0),
        0 if block is None else block.import_id,
        0 if block is None else block.block,
    )
    padding = -sum(map(len, parts)) % _ALIGNMENT
    return b"".join([header, *parts, bytes(padding)])


def encode_group(encoded_batches: Sequence[bytes], readings: int) -> bytes:
    """`readings` is their number in all batches together."""
    counts = _COUNTS.pack(len(encoded_batches), readings)
    checksum = zlib.crc32(counts)
    for encoded in encoded_batches:
        checksum = zlib.crc32(encoded, checksum)
    return b"".join([MAGIC, _CHECKSUM.pack(checksum), counts, *encoded_batches])


def decode_group(body: bytes) -> list[Batch]:
    """The batches in order; their eight-byte columns are read-only views of `body`.

    Raises `CommitLogDamaged` when `body` is not what `encode_group` made.
    """
    if len(body) < _GROUP.size:
        raise CommitLogDamaged("a group is cut off")
    magic, checksum, batches, readings = _GROUP.unpack_from(body)
    if magic != MAGIC:
        raise CommitLogDamaged("a group does not begin as it should")
    if zlib.crc32(memoryview(body)[_CHECKED_FROM:]) != checksum:
        raise CommitLogDamaged("a group does not have its checksum")
    decoded = []
    at = _GROUP.size
    for _ in range(batches):
        batch, at = _decode_batch(body, at)
        decoded.append(batch)
    if at != len(body) or sum(map(len, decoded)) != readings:
        raise CommitLogDamaged("a group does not have its length")
    return decoded


def _decode_batch(body: bytes, at: int) -> tuple[Batch, int]:
    """The batch that begins at `at`, and where the next one begins."""
    (
        readings,
        names_count,
        names_bytes,
        origins_count,
        origins_bytes,
        width,
        origin_width,
        flags,
        import_id,
        block,
    ) = _BATCH.unpack_from(body, at)
    at += _BATCH.size
    event_times: npt.NDArray[np.int64] = np.frombuffer(body, _EVENT_TIME, readings, at)
    at += 8 * readings
    values: npt.NDArray[np.float64] = np.frombuffer(body, _VALUE, readings, at)
    at += 8 * readings
    codes = np.frombuffer(body, _CODE_TYPES[width], readings, at).astype(np.uint32)
    at += width * readings
    origin_codes = None
    if origin_width:
        narrow = np.frombuffer(body, _CODE_TYPES[origin_width], readings, at)
        origin_codes = narrow.astype(np.uint32)
        at += origin_width * readings
    names = _split(body[at : at + names_bytes], names_count)
    at += names_bytes
    origins = _split(body[at : at + origins_bytes], origins_count)
    at += origins_bytes
    batch = Batch(
        equipment_ids=names,
        codes=codes,
        event_times=event_times,
        values=values,
        origins=origins,
        origin_codes=origin_codes,
        block=ImportBlock(import_id=import_id, block=block, keep_stored=bool(flags & _KEEP_STORED))
        if flags & _HAS_BLOCK
        else None,
    )
    return batch, at + -at % _ALIGNMENT


def _width(codes: int) -> int:
    """Bytes of one code when there are so many of them."""
    return 1 if codes <= 2**8 else 2 if codes <= 2**16 else 4


def _joined(texts: Sequence[str]) -> bytes:
    joined = "\n".join(texts)
    if texts and joined.count("\n") != len(texts) - 1:
        raise ValueError("an equipmentId or origin holds a line feed")
    return joined.encode()


def _split(joined: bytes, count: int) -> list[str]:
    return joined.decode().split("\n") if count else []
