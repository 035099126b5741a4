"""What a client raises. No message carries the token."""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.client.readings import Refused

NAMED_MAX = 5


class ClientError(Exception):
    """Anything that the client raises."""


class ReadingsRefused(ClientError):
    """Some readings are not valid. All others are stored, or on their way."""

    def __init__(self, refused: Sequence[Refused]) -> None:
        self.refused = list(refused)
        named = "; ".join(str(one) for one in self.refused[:NAMED_MAX])
        more = f"; and {len(refused) - NAMED_MAX} more" if len(refused) > NAMED_MAX else ""
        super().__init__(f"{len(refused)} refused: {named}{more}")


class RequestRefused(ClientError):
    """The server refuses the request as a whole: a wrong token, a role that may not, a wrong URL.

    Readings stay in the buffer.
    """

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"{status} {code}: {detail}")


class Unreachable(ClientError):
    """The server does not answer, or says that it cannot take anything at the moment."""

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(why)


class NotSent(ClientError):
    """The time was up before everything was stored. Readings stay in the buffer; one in memory is
    gone with the client when this was raised by `close`."""

    def __init__(self, readings: int, why: str) -> None:
        self.readings = readings
        super().__init__(f"{readings} readings could not be sent in time: {why}")


class BufferFull(ClientError):
    """The buffer is as large as it may be, or its disk is full. The reading was not taken; those
    before it are kept."""

    def __init__(self) -> None:
        super().__init__("The buffer is full: the server has been away for too long.")


class BufferInUse(ClientError):
    """Another client has this buffer open."""


class BufferUnusable(ClientError):
    """The file is not a buffer, or cannot be read or written."""
