"""The client for ordinary programs; it may be used from several threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from pipewatcher.client import figures
from pipewatcher.client.buffers import Buffer, MemoryBuffer
from pipewatcher.client.disk_buffer import DiskBuffer
from pipewatcher.client.errors import ClientError, NotSent, ReadingsRefused
from pipewatcher.client.figures import Average, Gap, StoredReading
from pipewatcher.client.readings import Fault, Reading, Refused, checked
from pipewatcher.client.sender import Sender
from pipewatcher.client.transport import Transport

log = logging.getLogger("pipewatcher.client")

MEMORY_READINGS_MAX = 100_000
BATCH_MAX = 10_000
Row: TypeAlias = Reading | Sequence[object]
"""A `Reading`, or `(equipment_id, value, at)`."""


class Client:
    def __init__(
        self,
        url: str,
        *,
        token: str,
        buffer: str | Path | None = None,
        buffer_bytes_max: int = 256 * 2**20,
        batch_readings: int = 1_000,
        batch_wait_s: float = 1.0,
        timeout_s: float = 30.0,
        ca_file: str | Path | None = None,
        on_refused: Callable[[Refused], None] | None = None,
    ) -> None:
        """Nothing is sent or asked yet.

        `buffer`: a file in which readings wait, also over a crash, until the server has them; of
        one client at a time. Without it up to 100,000 wait in memory.
        A batch is sent when `batch_readings` (1 to 10,000) wait, or the oldest has waited for
        `batch_wait_s`. `timeout_s`: how long the server may be silent within a request.
        `on_refused` is called, in a thread of the client, with each reading that the server
        refuses; without it `flush` and `close` raise `ReadingsRefused`.

        Raises `ValueError`, `BufferInUse` or `BufferUnusable`.
        """
        if not 1 <= batch_readings <= BATCH_MAX:
            raise ValueError(f"batch_readings must be 1 to {BATCH_MAX}")
        self._transport = Transport(url, token, timeout_s, Path(ca_file) if ca_file else None)
        self._buffer: Buffer = (
            MemoryBuffer(MEMORY_READINGS_MAX)
            if buffer is None
            else DiskBuffer(Path(buffer), buffer_bytes_max)
        )
        self._closed = False
        self._sender = Sender(
            self._buffer,
            self._transport.post,
            batch_max=batch_readings,
            batch_wait_s=batch_wait_s,
            on_refused=on_refused,
        )

    def __repr__(self) -> str:
        return f"Client({self._transport.url!r})"

    def write(self, equipment_id: str, value: float, at: datetime | None = None) -> None:
        """Puts a reading into the buffer, from where it is sent; `at` is now, unless given.

        With a file as buffer it is on the disk when this returns. Raises `ReadingsRefused` for
        one that cannot be sent, or `BufferFull`.
        """
        self.write_all([(equipment_id, value, datetime.now(UTC) if at is None else at)])

    def write_all(self, readings: Iterable[Row]) -> None:
        """`write` for many. The good ones are taken whatever the others are, then
        `ReadingsRefused` names those; of `BufferFull` none was taken."""
        good, refused = _sorted_out(readings)
        self._check_open()
        if good:
            self._buffer.add(good)
            self._sender.added()
        if refused:
            raise ReadingsRefused(refused)

    @property
    def waiting(self) -> int:
        """How many readings are in the buffer."""
        return len(self._buffer)

    def flush(self, timeout_s: float = 60.0) -> None:
        """Returns when the server has all that was written before this.

        Raises `ReadingsRefused` with what the server refused since the last `flush` (all others
        are stored or wait), `RequestRefused` when it refuses the client, `NotSent` when the time
        is up. Readings that are not stored stay in the buffer and are tried again.
        """
        self._check_open()
        self._sender.flush(timeout_s)

    def close(self, timeout_s: float = 10.0) -> None:
        """`flush`, then ends. What could not be sent stays in a file for the next client; of a
        buffer in memory it is lost, and `NotSent` says so. Closed again, it does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self._sender.flush(timeout_s)
        except ClientError as error:
            if not (isinstance(error, NotSent) and self._buffer.lasting):
                raise
            log.warning("%d readings wait in the buffer for the next client.", len(self._buffer))
        finally:
            self._sender.stop()
            self._buffer.close()
            self._transport.close()

    def averages(
        self, window: str = "24h", until: datetime | None = None, q: str = ""
    ) -> list[Average]:
        """Both means of every sensor whose id or description contains `q`, over the window that
        ends at `until` (now). Windows: 24h, 48h, 7d, 30d or any number of m, h, d.

        Raises `Unreachable` or `RequestRefused`, as all questions do.
        """
        return figures.averages(self._transport, window, until, q)

    def gaps(
        self, start: datetime, end: datetime, equipment_id: str | None = None
    ) -> Iterator[Gap]:
        """What is missing in `[start, end)`, newest first."""
        return figures.gaps(self._transport, start, end, equipment_id)

    def readings(
        self, equipment_id: str, start: datetime, end: datetime
    ) -> Iterator[StoredReading]:
        """The stored readings in `[start, end)`, oldest first, asked 10,000 at a time."""
        return figures.readings(self._transport, equipment_id, start, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except ClientError as ours:
            if error is None:
                raise
            log.warning("While it was closed for another error: %s", ours)

    def _check_open(self) -> None:
        if self._closed:
            raise ClientError("The client is closed.")


def _sorted_out(readings: Iterable[Row]) -> tuple[list[Reading], list[Refused]]:
    good, refused = [], []
    for row, given in enumerate(readings):
        parts = (given.equipment_id, given.value, given.at) if isinstance(given, Reading) else given
        try:
            equipment_id, value, at = parts
        except (TypeError, ValueError):
            raise TypeError(f"row {row}: must be a Reading or (equipment_id, value, at)") from None
        try:
            good.append(checked(equipment_id, value, at))
        except Fault as fault:
            refused.append(
                Refused(
                    row=row,
                    field=fault.field,
                    reason=fault.reason,
                    code="invalid_reading",
                    equipment_id=equipment_id,
                    value=value,
                    at=at,
                )
            )
    return good, refused
