"""Everything that can go wrong, in one tree. A docstring is the default message.

`code` is stable and part of the contract, `status` is the HTTP status, `hint` tells the reader
what to do next, `retry_after_s` is set where trying again helps.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipewatcher.model.readings import Rejection


class PipeWatcherError(Exception):
    """Something went wrong inside PipeWatcher."""

    code = "internal_error"
    status = 500
    hint: str | None = None
    retry_after_s: int | None = None

    def __init__(self, detail: str | None = None, *, hint: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip().partition("\n")[0]
        if hint is not None:
            self.hint = hint
        super().__init__(self.detail)


class MalformedRequest(PipeWatcherError):
    """The request cannot be read."""

    code = "malformed"
    status = 400


class InvalidRequest(PipeWatcherError):
    """The request can be read, but something in it is not allowed."""

    code = "invalid"
    status = 422

    def __init__(self, detail: str | None = None, errors: Sequence[Rejection] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)


class LinesRefused(PipeWatcherError):
    """Some lines are not valid; the readings of the others are durable."""

    code = "lines_refused"
    status = 400


class Unauthorized(PipeWatcherError):
    """Valid credentials are required."""

    code = "unauthorized"
    status = 401
    hint = "Send Authorization: Bearer <token>, or sign in."


class SecondFactorRequired(Unauthorized):
    """The code of the second factor is required."""

    code = "second_factor_required"
    hint = "Send it as `code` beside name and password."


class SignInRefused(Unauthorized):
    """What the provider sent cannot be accepted."""

    code = "sign_in_refused"
    hint = "Begin again; PipeWatcher's log says what was wrong."


class SignInStale(SignInRefused):
    """This sign-in was begun elsewhere or too long ago, or is used up."""

    code = "sign_in_stale"
    hint = "Begin again."


class SignInDeclined(SignInRefused):
    """The provider did not let this person in."""

    code = "sign_in_declined"


class Forbidden(PipeWatcherError):
    """These credentials do not allow this."""

    code = "forbidden"
    status = 403


class NoRole(Forbidden):
    """The provider knows this person, but nothing gives him a role here."""

    code = "no_role"
    hint = "Have him put into a group that PIPEWATCHER_OIDC_ROLES gives a role to."


class ShutOut(Forbidden):
    """An admin has disabled this person."""

    code = "disabled"


class NotFound(PipeWatcherError):
    """There is nothing under this name."""

    code = "not_found"
    status = 404


class NotHere(PipeWatcherError):
    """This process does not take readings."""

    code = "not_here"
    status = 404
    hint = "Send them to a process that has the role gateway."


class MethodNotAllowed(PipeWatcherError):
    """This address does not answer this method."""

    code = "method_not_allowed"
    status = 405


class RequestTimeout(PipeWatcherError):
    """The request did not arrive in time."""

    code = "request_timeout"
    status = 408


class Conflict(PipeWatcherError):
    """This cannot be done in the present state."""

    code = "conflict"
    status = 409


class NotPossible(PipeWatcherError):
    """The engines that are set up here cannot do this."""

    code = "not_possible"
    status = 409
    hint = "It is possible where readings are kept in duckdb:."


class UnknownHost(PipeWatcherError):
    """This is not a name of this PipeWatcher."""

    code = "unknown_host"
    status = 421
    hint = "Set PIPEWATCHER_PUBLIC_URL, or name it in PIPEWATCHER_ALLOWED_HOSTS."


class BodyTooLarge(PipeWatcherError):
    """The body is larger than this address accepts."""

    code = "body_too_large"
    status = 413
    hint = "Send at most 16 MiB of readings at a time, or upload a CSV to /api/v1/imports."


class UnsupportedMediaType(PipeWatcherError):
    """This content type or encoding is not understood here."""

    code = "unsupported_media_type"
    status = 415


class TooManyRequests(PipeWatcherError):
    """Too many attempts; wait a little."""

    code = "too_many_requests"
    status = 429
    retry_after_s = 60


class RateExceeded(TooManyRequests):
    """This token sends more often than it may."""

    code = "rate_exceeded"
    hint = "Wait as long as Retry-After says, send larger batches, or have its limit raised."

    def __init__(self, *, retry_after_s: int = 1) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class Busy(PipeWatcherError):
    """PipeWatcher is at one of its own limits; nothing of this request was stored."""

    code = "busy"
    status = 503
    retry_after_s = 1


class Lagging(Busy):
    """Readings arrive faster than they can be stored; nothing of this request was stored."""

    code = "lagging"
    retry_after_s = 2


class DiskFull(Busy):
    """The disk is nearly full; nothing of this request was stored."""

    code = "disk_full"
    retry_after_s = 30
    hint = "Free space in the data folder; PipeWatcher goes on by itself."


class CommitLogUnavailable(Busy):
    """The commit log cannot take readings; nothing of this request is known to be stored."""

    code = "commit_log_unavailable"
    retry_after_s = 5


class CommitLogDamaged(PipeWatcherError):
    """The commit log holds an entry that cannot be read; it is kept, not skipped."""

    code = "commit_log_damaged"
    hint = "Copy the data folder before anything else, then check its disk."


class StoreUnavailable(Busy):
    """The readings store cannot answer at the moment; acknowledged readings are safe."""

    code = "store_unavailable"
    retry_after_s = 5


class ProviderUnreachable(Busy):
    """The provider of identities does not answer as it should."""

    code = "provider_unreachable"
    retry_after_s = 5
    hint = "Sign in with name and password meanwhile."


class Stopping(Busy):
    """PipeWatcher is stopping; nothing of this request was stored."""

    code = "stopping"
    retry_after_s = 5


class StageEnded(PipeWatcherError):
    """A part of PipeWatcher ended on its own, so it stopped; what was acknowledged is kept."""

    code = "stage_ended"


class SettingsError(PipeWatcherError):
    """The settings are wrong."""

    code = "settings"


class DataFolderInUse(PipeWatcherError):
    """Another PipeWatcher process holds this data folder."""

    code = "data_folder_in_use"
    hint = "Stop it first, or set PIPEWATCHER_DATA_DIR to another folder."


class DataFolderTooNew(PipeWatcherError):
    """This data folder was written by a newer PipeWatcher."""

    code = "data_folder_too_new"
    hint = "Install the version that wrote it, or a newer one."
