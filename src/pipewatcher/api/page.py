"""The web page: static files, their caching, and the policy under which a browser runs them."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from pipewatcher.errors import NotFound

_INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_INLINE_STYLE = re.compile(rb"<style[^>]*>(.*?)</style>", re.DOTALL)
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>PipeWatcher</title>
<h1>PipeWatcher is running</h1>
<p>Its page is not built. Run <code>./start.sh</code> on a machine with Node 20, or use the API:
<a href="/docs">/docs</a>.</p></html>"""
_DOCS = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>PipeWatcher API</title>
<link rel="stylesheet" href="/docs-assets/swagger-ui.css"></head><body><div id="docs"></div>
<script src="/docs-assets/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs"})</script></body></html>"""


class Page:
    """The files of one built page; read once for their policy, served from disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._policies = {path: _policy(path.read_bytes()) for path in self._folder.rglob("*.html")}

    def answer(self, path: str) -> Response:
        """Raises `NotFound` for what is not in the folder."""
        for name in (path, f"{path}.html", f"{path}/index.html".lstrip("/")):
            if (file := self._found(name)) is not None:
                return self._file(file, path)
        if path in {"", "index.html"}:
            return HTMLResponse(_NOT_BUILT, headers={"content-security-policy": _policy(b"")})
        raise NotFound

    def _found(self, name: str) -> Path | None:
        try:
            file = (self._folder / name).resolve()
            return file if file.is_relative_to(self._folder) and file.is_file() else None
        except (OSError, ValueError):  # longer than a name may be, or with a NUL in it
            return None

    def _file(self, file: Path, path: str) -> Response:
        headers = {"cache-control": "no-cache"}
        if path.startswith("_next/static/"):
            headers["cache-control"] = "public, max-age=31536000, immutable"
        if file in self._policies:
            headers["content-security-policy"] = self._policies[file]
        return FileResponse(file, headers=headers)


def _policy(html: bytes) -> str:
    return (
        f"default-src 'self'; script-src {_sources(_INLINE_SCRIPT, html)}; "
        f"style-src {_sources(_INLINE_STYLE, html)}; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _sources(inline: re.Pattern[bytes], html: bytes) -> str:
    """Our own files, and what stands in the page itself, by its hash. Style attributes have none:
    React and charts set styles by script, which no policy of styles is about."""
    hashes = (
        f"'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        for text in dict.fromkeys(inline.findall(html))
    )
    return " ".join(("'self'", *hashes))


def page_router(folder: Path, tls_port: int | None) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page = Page(folder)
    docs = HTMLResponse(_DOCS, headers={"content-security-policy": _policy(_DOCS.encode())})

    @router.get("/docs")
    async def show_docs(request: Request) -> Response:
        return _by_tls(request, tls_port) or docs

    @router.get("/{path:path}")
    @router.head("/{path:path}")
    async def show(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            raise NotFound
        return _by_tls(request, tls_port) or page.answer(path)

    return router


def _by_tls(request: Request, port: int | None) -> Response | None:
    """Sends a browser that came without TLS to where there is some."""
    if port is None or request.url.scheme == "https":
        return None
    url = request.url.replace(scheme="https", port=port)
    return Response(status_code=307, headers={"location": str(url)})
