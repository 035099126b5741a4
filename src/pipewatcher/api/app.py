"""The API: one FastAPI application over the services, every error a problem document."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from pipewatcher import __version__
from pipewatcher.api import (
    audit,
    averages,
    backups,
    dead_letters,
    dry_run,
    gaps,
    history,
    imports,
    live,
    notifications,
    openid,
    plant,
    prometheus,
    prometheus_answers,
    retention,
    sensors,
    series,
    session,
    status,
    tokens,
    users,
)
from pipewatcher.api.answers import COMPRESS_BYTES_MIN, GZIP_LEVEL
from pipewatcher.api.auth import PROMETHEUS_PATH, address_of
from pipewatcher.api.headers import HostCheck, SecurityHeaders
from pipewatcher.api.limits import SignInLimit
from pipewatcher.api.page import page_router
from pipewatcher.api.services import Services
from pipewatcher.errors import (
    BodyTooLarge,
    InvalidRequest,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    PipeWatcherError,
)
from pipewatcher.identity.roles import ANYONE, PERMISSIONS
from pipewatcher.model.readings import Rejection
from pipewatcher.problems import PROBLEM_TYPE, problem, problem_headers
from pipewatcher.rate import RateLimit

log = logging.getLogger(__name__)

REFUSALS_LOGGED_PER_S = 10
"""Whoever asks for nothing but refusals does not fill the log."""
BODIES = [
    session.WhoAmI,
    session.SessionsPage,
    session.FactorOffered,
    session.SignedOut,
    openid.ProvidersPage,
    openid.ElsewhereBegun,
    users.UserItem,
    users.UsersPage,
    users.InvitationMade,
    users.InvitationShown,
    averages.AveragesPage,
    sensors.SensorItem,
    sensors.SensorsPage,
    series.SeriesPage,
    series.ReadingsPage,
    history.HistoryPage,
    imports.ImportStarted,
    imports.ImportItem,
    imports.ImportsPage,
    imports.ImportGaps,
    imports.UndoPreviewItem,
    dry_run.ForecastItem,
    retention.RetentionItem,
    backups.BackupItem,
    gaps.GapItem,
    gaps.GapsPage,
    gaps.GapLetter,
    gaps.IncidentsPage,
    gaps.CoveragePage,
    plant.PlantItem,
    prometheus_answers.PrometheusAnswer,
    notifications.NotificationsPage,
    notifications.Unread,
    live.LiveSensor,
    dead_letters.DeadLetterItem,
    dead_letters.DeadLettersPage,
    dead_letters.ReplayReceipt,
    audit.AuditPage,
    audit.AuditVerified,
    tokens.TokensPage,
    tokens.TokenMade,
    status.Status,
    status.Health,
]
_RESOURCES = (
    session,
    averages,
    sensors,
    series,
    history,
    imports,
    dry_run,
    gaps,
    retention,
    backups,
    live,
    notifications,
    dead_letters,
    tokens,
    audit,
    users,
    openid,
    plant,
    prometheus,
)
"""What a process with the role api answers."""
_HTTP_ERRORS: dict[int, type[PipeWatcherError]] = {
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
}


def create_app(services: Services) -> FastAPI:
    app = FastAPI(
        title="PipeWatcher",
        version=__version__,
        description="The historian an industrial plant trusts with its sensors.",
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.services = services
    app.state.sign_in_limit = SignInLimit()
    app.state.refusals_logged = RateLimit(REFUSALS_LOGGED_PER_S)
    for door, endpoint in services.ingest.items():
        method, path = door.split(" ")
        app.router.routes.append(Route(path, endpoint, methods=[method], include_in_schema=False))
    app.include_router(status.router)
    if services.answers is not None:
        for module in _RESOURCES:
            app.include_router(module.router)
        app.include_router(page_router(services.page, services.tls_port))
    app.add_exception_handler(PipeWatcherError, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESS_BYTES_MIN, compresslevel=GZIP_LEVEL)
    app.add_middleware(HostCheck, allowed=services.allowed_hosts)
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: openapi(app, services)  # type: ignore[method-assign]
    return app


def openapi(app: FastAPI, services: Services) -> dict[str, Any]:
    """FastAPI's document with the bodies' schemas, the readings' doors and the two ways to sign."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        _, components = msgspec.json.schema_components(BODIES, ref_template=_REF)
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(components)
        schemas.update(services.ingest_schemas)
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "pw_session"},
        }
        document["security"] = [{"bearer": []}, {"session": []}]
        for door, operation in services.ingest_operations.items():
            method, path = door.lower().split(" ")
            document["paths"].setdefault(path, {})[method] = dict(operation)
        for route in (route for route, roles in PERMISSIONS.items() if roles is ANYONE):
            method, path = route.lower().split(" ", 1)
            if path in document["paths"]:
                document["paths"][path][method]["security"] = []
        app.openapi_schema = document
    return app.openapi_schema


_REF = "#/components/schemas/{name}"


def _answer(error: PipeWatcherError) -> Response:
    return Response(
        problem(error), error.status, dict(problem_headers(error)), media_type=PROBLEM_TYPE
    )


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, PipeWatcherError)
    if error.status in {401, 403, 421, 429} and not request.app.state.refusals_logged.take():
        # Never who it claimed to be: people type passwords where names belong.
        place = f"{request.method} {request.scope['route'].path}"
        log.warning("%s from %s was refused: %s", place, address_of(request), error.code)
    return _answer(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    found = _HTTP_ERRORS.get(error.status_code, MalformedRequest)()
    answer = _answer(found)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


async def _invalid(request: Request, error: Exception) -> Response:
    """FastAPI's faults, without echoing what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    if request.url.path.startswith(PROMETHEUS_PATH):
        return prometheus_answers.failed(422, "bad_data", faults[0]["msg"])
    if any(fault["type"] == "json_invalid" for fault in faults):
        return _answer(MalformedRequest("The body is not valid JSON."))
    rejections = [
        Rejection(field=".".join(str(part) for part in fault["loc"][1:]), reason=fault["msg"])
        for fault in faults
    ]
    return _answer(InvalidRequest(errors=rejections))


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(PipeWatcherError())
