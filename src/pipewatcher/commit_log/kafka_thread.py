"""A thread for calls into a driver that may never return: it does not keep the process alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class DaemonThread:
    """One call after the other, in the order of `call`."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._ended: Future[None] = Future()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(run)
        return asyncio.wrap_future(future)

    def end(self, last: Callable[[], None]) -> None:
        """With `last` as its last call, whose errors nobody is told."""
        forget(self.call(last))
        self._calls.put(None)

    async def ended(self, timeout_s: float) -> bool:
        """Whether the last call has returned by then."""
        done, _ = await asyncio.wait([asyncio.wrap_future(self._ended)], timeout=timeout_s)
        return bool(done)

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
        self._ended.set_result(None)


def forget(future: asyncio.Future[Any]) -> None:
    """Nobody waits for it any more: should it fail, that is no news."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
