"""Equal questions that wait are answered together.

Of each question at most one answer is being made and one waits to be made. Who asks joins the one
that waits, so an answer is never older than its question; a hundred dashboards cost what two do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from fastapi import Response


@dataclass(frozen=True, slots=True)
class _Body:
    """What equal questions share; whoever sends a response adds headers of his own to it."""

    content: bytes
    status: int
    headers: list[tuple[bytes, bytes]]


class SharedAnswers:
    def __init__(self) -> None:
        self._begun: dict[Hashable, asyncio.Task[_Body]] = {}
        self._waiting: dict[Hashable, asyncio.Task[_Body]] = {}

    async def ask(self, question: Hashable, answer: Callable[[], Awaitable[Response]]) -> Response:
        """Raises what `answer` raises, to all who share it."""
        made = self._waiting.get(question)
        if made is None:
            made = asyncio.create_task(self._make(question, answer, self._begun.get(question)))
            self._waiting[question] = made
        # Who hangs up does not take it from the others.
        body = await asyncio.shield(made)
        response = Response(body.content, body.status)
        response.raw_headers = list(body.headers)
        return response

    async def _make(
        self,
        question: Hashable,
        answer: Callable[[], Awaitable[Response]],
        before: asyncio.Task[_Body] | None,
    ) -> _Body:
        if before is not None:
            await asyncio.wait([before])
        self._begun[question] = self._waiting.pop(question)
        try:
            response = await answer()
            return _Body(bytes(response.body), response.status_code, list(response.raw_headers))
        finally:
            del self._begun[question]
