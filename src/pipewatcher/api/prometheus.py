"""Prometheus's HTTP API over readings, so that Grafana's built-in data source reads them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from pipewatcher import __version__
from pipewatcher.api.answers import problems
from pipewatcher.api.auth import Caller
from pipewatcher.api.prometheus_answers import (
    Parameters,
    answered,
    at_one_instant,
    done,
    over_a_range,
)
from pipewatcher.promql.syntax import METRIC

router = APIRouter(prefix="/prometheus/api/v1", tags=["Grafana"])

_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/PrometheusAnswer"}}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Done.", "content": _CONTENT},
    400: {"description": "The query cannot be read.", "content": _CONTENT},
    422: {"description": "The answer would be too large.", "content": _CONTENT},
    **problems(401, 403, 429, 503),
}


def _described(**parameters: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What OpenAPI says of the parameters, in the query and as a form."""
    schemas = {
        name.replace("match", "match[]"): {"type": "string", "description": text}
        for name, text in parameters.items()
    }
    in_query = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in schemas.items()
    ]
    form = {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "properties": schemas}
            }
        },
    }
    return {"parameters": in_query}, {"requestBody": form}


_QUERY = f"PromQL on `{METRIC}`."
_TIME = "Unix seconds or RFC 3339; now, unless given."
_MATCH = "A selector; may be given several times."
_INSTANT = _described(query=_QUERY, time=_TIME)
_RANGE = _described(query=_QUERY, start=_TIME, end=_TIME, step="Seconds, or as `5m`.")
_SERIES = _described(match=_MATCH, limit="At most so many.")


@router.get("/query", responses=_RESPONSES, openapi_extra=_INSTANT[0])
async def query(request: Request, _: Caller) -> Response:
    """A query at one instant."""
    return await answered(request, at_one_instant)


@router.post("/query", responses=_RESPONSES, openapi_extra=_INSTANT[1])
async def query_by_form(request: Request, _: Caller) -> Response:
    """A query at one instant."""
    return await answered(request, at_one_instant)


@router.get("/query_range", responses=_RESPONSES, openapi_extra=_RANGE[0])
async def query_range(request: Request, _: Caller) -> Response:
    """A query at each of the instants `start`, `start + step`, … up to `end`."""
    return await answered(request, over_a_range)


@router.post("/query_range", responses=_RESPONSES, openapi_extra=_RANGE[1])
async def query_range_by_form(request: Request, _: Caller) -> Response:
    """A query at each of the instants `start`, `start + step`, … up to `end`."""
    return await answered(request, over_a_range)


@router.get("/series", responses=_RESPONSES, openapi_extra=_SERIES[0])
async def series(request: Request, _: Caller) -> Response:
    """The labels of the sensors that are chosen."""
    return await answered(request, _series_of)


@router.post("/series", responses=_RESPONSES, openapi_extra=_SERIES[1])
async def series_by_form(request: Request, _: Caller) -> Response:
    """The labels of the sensors that are chosen."""
    return await answered(request, _series_of)


@router.get("/labels", responses=_RESPONSES, openapi_extra=_SERIES[0])
async def labels(request: Request, _: Caller) -> Response:
    """The names of the labels of the sensors that are chosen."""
    return await answered(request, _labels_of)


@router.post("/labels", responses=_RESPONSES, openapi_extra=_SERIES[1])
async def labels_by_form(request: Request, _: Caller) -> Response:
    """The names of the labels of the sensors that are chosen."""
    return await answered(request, _labels_of)


@router.get("/label/{name}/values", responses=_RESPONSES, openapi_extra=_SERIES[0])
async def label_values(
    request: Request, _: Caller, name: Annotated[str, Path(max_length=200)]
) -> Response:
    """The values of a label of the sensors that are chosen."""

    async def values(parameters: Parameters) -> list[str]:
        found = {one[name] for one in await parameters.chosen() if name in one}
        return sorted(found)[: parameters.limit()]

    return await answered(request, values)


@router.get("/metadata", responses=_RESPONSES)
async def metadata(_: Caller) -> Response:
    """The one metric that there is."""
    told = {"type": "gauge", "help": "Readings of the plant's sensors.", "unit": ""}
    return done({METRIC: [told]})


@router.get("/status/buildinfo", responses=_RESPONSES)
async def build_info(_: Caller) -> Response:
    """Grafana asks it to know what it speaks to."""
    data = {"version": "2.55.0", "revision": f"pipewatcher-{__version__}", "branch": ""}
    data |= {"buildUser": "", "buildDate": "", "goVersion": ""}
    return done(data)


async def _series_of(parameters: Parameters) -> list[dict[str, str]]:
    return (await parameters.chosen())[: parameters.limit()]


async def _labels_of(parameters: Parameters) -> list[str]:
    names = {name for labels in await parameters.chosen() for name in labels}
    return sorted(names)[: parameters.limit()]
