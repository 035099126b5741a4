"""The thread that takes readings out of the buffer and sends them, one batch after the other."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from pipewatcher.client.answers import Taken, wait_s
from pipewatcher.client.buffers import Buffer, Numbered
from pipewatcher.client.errors import (
    ClientError,
    NotSent,
    ReadingsRefused,
    RequestRefused,
    Unreachable,
)
from pipewatcher.client.readings import Refused

log = logging.getLogger("pipewatcher.client")

REFUSED_KEPT_MAX = 10_000
"""For the next `flush` to raise; each is also logged when it is refused."""


class Sender:
    def __init__(
        self,
        buffer: Buffer,
        post: Callable[[Sequence[Numbered]], Taken],
        *,
        batch_max: int,
        batch_wait_s: float,
        on_refused: Callable[[Refused], None] | None,
    ) -> None:
        self._buffer = buffer
        self._post = post
        self._batch_max = batch_max
        self._batch_wait_s = batch_wait_s
        self._on_refused = on_refused
        self._refused: list[Refused] = []
        self._changed = threading.Condition()
        self._waiting_since: float | None = time.monotonic() if len(buffer) else None
        self._wanted = 0
        """Somebody waits for the readings with smaller numbers."""
        self._failure: ClientError | None = None
        """Why the last try came to nothing."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="pipewatcher sender", daemon=True)
        self._thread.start()

    def added(self) -> None:
        """Something was put into the buffer."""
        with self._changed:
            if self._waiting_since is None:
                self._waiting_since = time.monotonic()
                self._changed.notify_all()
            elif len(self._buffer) >= self._batch_max:
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Returns when all that was added before is stored. Raises `ReadingsRefused` with what
        was refused since the last time, `RequestRefused`, or `NotSent`."""
        until = self._buffer.next_number()
        with self._changed:
            self._wanted = max(self._wanted, until)
            if isinstance(self._failure, RequestRefused):
                self._failure = None  # tried at once: the token may be a good one by now
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled(until), timeout_s)
            failure, left = self._failure, self._left(until)
            refused, self._refused = self._refused, []
        if refused:
            raise ReadingsRefused(refused)
        if isinstance(failure, RequestRefused):
            raise failure
        if left:
            raise NotSent(left, str(failure or "it takes longer"))

    def stop(self) -> None:
        """Ends the thread; a request on its way is waited for."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _settled(self, until: int) -> bool:
        return not self._left(until) or isinstance(self._failure, RequestRefused)

    def _left(self, until: int) -> int:
        """How many below `until` are still in the buffer."""
        first = self._buffer.next_number() - len(self._buffer)
        return max(0, until - first)

    def _run(self) -> None:
        attempt = 0
        while self._wait_until_due():
            try:
                self._send_one_batch()
            except ClientError as error:
                self._failed(error, attempt)
                attempt += 1
            except Exception as error:
                # A fault of ours or of `on_refused`: said, and tried again, as nothing is lost.
                log.exception("A batch could not be handled.")
                self._failed(ClientError(f"{type(error).__name__}: {error}"), attempt)
                attempt += 1
            else:
                attempt = 0

    def _wait_until_due(self) -> bool:
        """Whether there is something to send; False: the end."""
        with self._changed:
            while not self._stopping:
                if not len(self._buffer):
                    self._waiting_since = None
                    self._changed.wait()
                    continue
                now = time.monotonic()
                since = now if self._waiting_since is None else self._waiting_since
                wait = since + self._batch_wait_s - now
                full = len(self._buffer) >= self._batch_max
                if full or wait <= 0 or self._left(self._wanted):
                    return True
                self._changed.wait(wait)
            return False

    def _send_one_batch(self) -> None:
        batch = self._buffer.oldest(self._batch_max)
        taken = self._post(batch)
        # Told before they are gone: a crash here means that they are told again.
        for refused in taken.refused:
            if self._on_refused is not None:
                self._on_refused(refused)
            else:
                log.warning("The server refused a reading: %s", refused)
        self._buffer.remove(taken.up_to)
        with self._changed:
            if self._on_refused is None:
                self._refused = (self._refused + taken.refused)[:REFUSED_KEPT_MAX]
            self._failure = None
            self._waiting_since = time.monotonic()
            self._changed.notify_all()

    def _failed(self, error: ClientError, attempt: int) -> None:
        retry_after_s = error.retry_after_s if isinstance(error, Unreachable) else None
        wait = wait_s(attempt, retry_after_s)
        with self._changed:
            if self._failure is None:
                log.warning("Not sent, next try in %.1f s: %s", wait, error)
            self._failure = error
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._stopping or self._failure is None, wait)
