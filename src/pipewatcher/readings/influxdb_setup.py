"""Makes the database or bucket when it is missing and may be made, else says what to do."""

from __future__ import annotations

import logging
import time

from pipewatcher.errors import SettingsError, StoreUnavailable
from pipewatcher.model.time import SECOND
from pipewatcher.readings.influxdb_http import SETTING, InfluxHttp

log = logging.getLogger(__name__)


async def prepare(http: InfluxHttp) -> None:
    """Raises `SettingsError` with the remedy, or `StoreUnavailable`."""
    try:
        answer = await http.request("GET", "/ping")
    except StoreUnavailable as error:
        raise _unreachable(http, str(error.__cause__ or error)) from error
    _check_sign_in(http, answer.status_code)
    if answer.status_code >= 400:
        raise SettingsError(
            f"{SETTING}: what answers at {http.target.base_url} is no InfluxDB, or wants another "
            f"protocol: {answer.status_code} {answer.text.strip()[:200]}",
            hint="Check host and port; influxdbs:// speaks TLS, influxdb:// does not.",
        )
    version = answer.headers.get("x-influxdb-version", "")
    build = answer.headers.get("x-influxdb-build", "")
    if version.removeprefix("v").startswith("3") or "core" in build.lower():
        raise SettingsError(
            f"{SETTING}: InfluxDB 3 Core is not supported: it answers for at most 72 hours at a "
            "time, so a month's mean cannot be asked of it.",
            hint="Use InfluxDB 1.x or 2.x, or the embedded engine duckdb:.",
        )
    if http.target.version == 2:
        await _prepare_bucket(http)
    else:
        await _prepare_database(http)
    await _check_rights(http)


def _unreachable(http: InfluxHttp, reason: str) -> SettingsError | StoreUnavailable:
    where = http.target.base_url
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return SettingsError(
            f"{SETTING}: the certificate of InfluxDB at {where} is not trusted: {reason}",
            hint="Add ca=FILE with the authority that signed it, and name the host as it does.",
        )
    if "SSL" in reason:
        return SettingsError(
            f"{SETTING}: InfluxDB at {where} does not speak TLS as we do: {reason}",
            hint="influxdbs:// is for an InfluxDB with https-enabled, influxdb:// for one without.",
        )
    return StoreUnavailable(
        f"InfluxDB at {where} cannot be reached.",
        hint=f"Check host and port in {SETTING} and whether InfluxDB runs.",
    )


async def _prepare_database(http: InfluxHttp) -> None:
    name = http.target.database
    answer = await http.request("GET", "/query", params={"q": "SHOW DATABASES"})
    _check_sign_in(http, answer.status_code)
    found = answer.json()["results"][0].get("series", [{}])[0].get("values", [])
    if [name] not in found:
        made = await http.request("POST", "/query", params={"q": f'CREATE DATABASE "{name}"'})
        error = made.json().get("error") or made.json()["results"][0].get("error")
        if made.status_code != 200 or error:
            raise SettingsError(
                f"{SETTING}: the database {name} is not there, or not for this user, and this "
                f"user may not make it: {error}",
                hint=f'As an administrator: CREATE DATABASE "{name}"; GRANT ALL ON "{name}" TO '
                f'"{http.target.user}"',
            )
        log.info("made the InfluxDB database %s; it keeps readings for ever", name)


async def _prepare_bucket(http: InfluxHttp) -> None:
    """2.x answers InfluxQL for a bucket once a DBRP mapping names it as a database."""
    name = http.target.database
    answer = await http.request("GET", "/api/v2/buckets", params={"name": name})
    _check_sign_in(http, answer.status_code)
    buckets = answer.json().get("buckets", []) if answer.status_code == 200 else []
    if not buckets:
        orgs = (await http.request("GET", "/api/v2/orgs")).json().get("orgs", [])
        made = await http.request(
            "POST",
            "/api/v2/buckets",
            json={"name": name, "orgID": orgs[0]["id"] if orgs else "", "retentionRules": []},
        )
        if made.status_code != 201:
            raise SettingsError(
                f"{SETTING}: the bucket {name} is not there and this token may not make it.",
                hint=f"influx bucket create --name {name} --retention 0, then influx v1 dbrp "
                f"create --db {name} --rp autogen --default --bucket-id …",
            )
        buckets = [made.json()]
        log.info("made the InfluxDB bucket %s; it keeps readings for ever", name)
    bucket = buckets[0]
    mappings = await http.request(
        "GET", "/api/v2/dbrps", params={"orgID": bucket["orgID"], "db": name}
    )
    if not mappings.json().get("content"):
        mapped = await http.request(
            "POST",
            "/api/v2/dbrps",
            json={
                "bucketID": bucket["id"],
                "orgID": bucket["orgID"],
                "database": name,
                "retention_policy": "autogen",
                "default": True,
            },
        )
        if mapped.status_code not in {200, 201}:
            raise SettingsError(
                f"{SETTING}: the bucket {name} is not mapped to a database of this name.",
                hint=f"influx v1 dbrp create --db {name} --rp autogen --default --bucket-id "
                f"{bucket['id']}",
            )


async def _check_rights(http: InfluxHttp) -> None:
    """Reads and writes once, so that a missing right is told now."""
    name = http.target.database
    refused = SettingsError(
        f"{SETTING}: this user or token may not read and write the database {name}.",
        hint=f'In 1.x: GRANT ALL ON "{name}" TO "{http.target.user}"; in 2.x: a token with read '
        "and write rights for the bucket.",
    )
    read = await http.request("GET", "/query", params={"db": name, "q": "SHOW RETENTION POLICIES"})
    if read.status_code != 200 or "error" in read.text:
        raise refused
    line = f"pipewatcher_check value=1.0 {int(time.time()) * SECOND}"
    written = await http.request(
        "POST", "/write", params={"db": name, "precision": "u"}, content=line
    )
    if written.status_code == 429:
        raise StoreUnavailable("InfluxDB takes no more writes for now.")
    if written.status_code != 204:
        raise refused
    for series in read.json()["results"][0].get("series", []):
        for row in series.get("values", []):
            policy = dict(zip(series["columns"], row, strict=True))
            if policy.get("default") and policy.get("duration") not in {"0s", "0", None}:
                raise SettingsError(
                    f"{SETTING}: InfluxDB drops what is older than {policy['duration']} from "
                    f"{name}: late readings would vanish and means be wrong.",
                    hint=f'ALTER RETENTION POLICY "{policy["name"]}" ON "{name}" DURATION INF, or '
                    "another database.",
                )


def _check_sign_in(http: InfluxHttp, status: int) -> None:
    if status in {401, 403}:
        raise SettingsError(
            f"{SETTING}: InfluxDB at {http.target.base_url} does not accept this user or token.",
            hint="1.x: influxdb://user:password@…, 2.x: influxdb://token@…?version=2",
        )
