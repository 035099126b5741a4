"""Parameters and answers as Prometheus's HTTP API has them."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import numpy as np
from fastapi import Request, Response

from pipewatcher.api.answers import JSON_BYTES_MAX, Camel, compressed, json_answer, takes_gzip
from pipewatcher.api.auth import answers_of
from pipewatcher.errors import BodyTooLarge, InvalidRequest
from pipewatcher.model.time import SECOND, Micros
from pipewatcher.promql.ask import Asker
from pipewatcher.promql.errors import BadQuery, TooMuch
from pipewatcher.promql.evaluate import Found
from pipewatcher.promql.grid import Grid, Values
from pipewatcher.promql.labels import Labels
from pipewatcher.promql.tokens import duration
from pipewatcher.validate import ReadingFault, parse_timestamp

FORM_TYPE = "application/x-www-form-urlencoded"
PARAMETERS_MAX = 200
INSTANT_MAX = 250_000_000_000 * SECOND
"""In the year 9892."""
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]*)?", re.ASCII)


class PrometheusAnswer(Camel):
    """`data` with the status `success`, else why there is none. Numbers are texts, as Prometheus
    writes them."""

    status: str
    data: Any = msgspec.UNSET
    error_type: str | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET


class Parameters:
    """Those of the query and of the form alike."""

    def __init__(self, asker: Asker, now: Micros, pairs: list[tuple[str, str]]) -> None:
        self.asker = asker
        self.now = now
        self._texts: dict[str, list[str]] = {}
        for name, text in pairs:
            self._texts.setdefault(name, []).append(text)

    def text(self, name: str) -> str:
        """Raises `BadQuery`, as all of these do."""
        text = self._texts.get(name, [""])[0]
        if not text:
            raise BadQuery(f"{name} is missing")
        return text

    def instant(self, name: str, default: Micros | None = None) -> Micros:
        """Unix seconds, or RFC 3339."""
        if default is not None and name not in self._texts:
            return default
        text = self.text(name)
        try:
            number = _NUMBER.fullmatch(text) is not None
            instant = round(float(text) * SECOND) if number else parse_timestamp(text)
        except ReadingFault:
            raise BadQuery(f"{name} must be Unix seconds or RFC 3339") from None
        if abs(instant) > INSTANT_MAX:
            raise BadQuery(f"{name} is too far from now")
        return instant

    def step(self) -> Micros:
        step = duration(self.text("step"))
        if not step:
            raise BadQuery("step must be longer than zero")
        return step

    def limit(self) -> int | None:
        """None: all of them."""
        text = self._texts.get("limit", ["0"])[0]
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
            raise BadQuery("limit must be a whole number")
        return int(text) or None

    async def chosen(self) -> list[Labels]:
        """Of the sensors that a `match[]` chooses; of all, when there is none."""
        return await self.asker.series([text for text in self._texts.get("match[]", []) if text])


async def answered(request: Request, answer: Callable[[Parameters], Awaitable[object]]) -> Response:
    """In Prometheus's words, also when there is no answer. Raises `BodyTooLarge`."""
    try:
        known, pairs = answers_of(request), await _pairs(request)
        data = await answer(Parameters(known.promql, known.queries.now(), pairs))
    except BadQuery as error:
        return failed(400, "bad_data", str(error))
    except InvalidRequest as error:
        return failed(400, "bad_data", error.detail)
    except TooMuch as error:
        return failed(422, "execution", str(error))
    return await asyncio.to_thread(lambda: compressed(done(data), gzipped=takes_gzip(request)))


def done(data: object) -> Response:
    return json_answer(PrometheusAnswer(status="success", data=data))


async def at_one_instant(parameters: Parameters) -> object:
    at = parameters.instant("time", parameters.now)
    found = await parameters.asker.ask(parameters.text("query"), Grid(at, at, SECOND))
    return await asyncio.to_thread(_vector, found, at / SECOND)


async def over_a_range(parameters: Parameters) -> object:
    grid = Grid(parameters.instant("start"), parameters.instant("end"), parameters.step())
    if grid.end < grid.start:
        raise BadQuery("end must not lie before start")
    found = await parameters.asker.ask(parameters.text("query"), grid)
    return await asyncio.to_thread(_matrix, found, grid)


def _vector(found: Found, at_s: float) -> object:
    if isinstance(found, np.ndarray):
        return {"resultType": "scalar", "result": [at_s, _text(found[0])]}
    lines = [line for line in found if not math.isnan(line.values[0])]
    result = [{"metric": line.labels, "value": [at_s, _text(line.values[0])]} for line in lines]
    return {"resultType": "vector", "result": result}


def _matrix(found: Found, grid: Grid) -> object:
    lines = (
        [({}, found)] if isinstance(found, np.ndarray) else [(f.labels, f.values) for f in found]
    )
    seconds = grid.instants / SECOND
    result = [
        {"metric": labels, "values": _points(seconds, values)}
        for labels, values in lines
        if not np.isnan(values).all()
    ]
    return {"resultType": "matrix", "result": result}


def _points(seconds: Values, values: Values) -> list[tuple[float, str]]:
    there = ~np.isnan(values)
    return [
        (second, _text(value))
        for second, value in zip(seconds[there].tolist(), values[there].tolist(), strict=True)
    ]


def _text(value: float) -> str:
    """The shortest text that is this double."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value)).removesuffix(".0")


async def _pairs(request: Request) -> list[tuple[str, str]]:
    pairs = request.query_params.multi_items()
    if request.method == "POST":
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
            raise BadQuery(f"send {FORM_TYPE}")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > JSON_BYTES_MAX:
                raise BodyTooLarge
        try:
            pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=PARAMETERS_MAX)
        except ValueError:
            raise BadQuery("the form cannot be read") from None
    if len(pairs) > PARAMETERS_MAX:
        raise BadQuery(f"at most {PARAMETERS_MAX} parameters")
    return pairs


def failed(status: int, kind: str, why: str) -> Response:
    return json_answer(PrometheusAnswer(status="error", error_type=kind, error=why), status)
