"""An OpenID provider that lies on request: it signs whatever a test wants it to say."""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT_ID = "pipewatcher"
CLIENT_SECRET = "only-for-tests"


def a_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def signed(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    header = {"kid": key.kid, "alg": "RS256", **header}
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    """`alg` none, and an empty signature."""
    return f"{_part({'alg': 'none', 'kid': key.kid})}.{_part(claims)}."


def signed_with_the_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """HS256, with what everybody may know for its secret."""
    text = f"{_part({'alg': 'HS256', 'kid': key.kid})}.{_part(claims)}"
    signature = hmac.digest(key.as_pem(private=False), text.encode(), "sha256")
    return f"{text}.{urlsafe_b64encode(signature).decode().rstrip('=')}"


def _part(content: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


class HostileProvider:
    """`twist` gets claims and key and answers the token; `person` is who signs in, at once."""

    def __init__(self) -> None:
        self.key = a_key("first")
        self.shown = [self.key]
        """What the key set lists."""
        self.person: dict[str, Any] = {}
        self.twist: Callable[[dict[str, Any], RSAKey], str] | None = None
        self.userinfo: dict[str, Any] | None = None
        self.metadata: dict[str, Any] = {}
        """Added to what discovery tells, over it."""
        self.asked: list[str] = []
        """Paths, in the order in which they were asked."""
        self.delay_s = 0.0
        self._codes: dict[str, dict[str, str]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        self.person = {"sub": "s-1", "preferred_username": "olga", "roles": ["ops"]}
        self.twist = self.userinfo = None
        self.key, self.shown, self.metadata, self.delay_s = self.shown[0], self.shown[:1], {}, 0.0

    def token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.person,
        }
        return self.twist(claims, self.key) if self.twist else signed({}, claims, self.key)

    def _answer(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/.well-known/openid-configuration":
            addresses = {
                "authorization_endpoint": "/authorize",
                "token_endpoint": "/token",
                "jwks_uri": "/keys",
                "userinfo_endpoint": "/userinfo",
            }
            urls = {name: self.issuer + where for name, where in addresses.items()}
            return 200, {"issuer": self.issuer, **urls, **self.metadata}
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False) for key in self.shown]}
        if path == "/userinfo" and self.userinfo is not None:
            return 200, self.userinfo
        if path == "/token":
            asked = self._codes.get(form.get("code", ""))
            if asked is None:
                return 400, {"error": "invalid_grant"}
            # Codes are good again and again here: it is for the client to refuse a second time.
            challenge = create_s256_code_challenge(form["code_verifier"])
            assert (asked["code_challenge"], asked["code_challenge_method"]) == (challenge, "S256")
            assert form["redirect_uri"] == asked["redirect_uri"]
            return 200, {
                "access_token": "a",
                "token_type": "Bearer",
                "id_token": self.token(asked["nonce"]),
            }
        return 404, {}

    def _authorized(self, query: dict[str, str]) -> str:
        code = secrets.token_urlsafe(8)
        self._codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._serve({})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._serve({name: values[0] for name, values in parse_qs(body).items()})

            def _serve(self, form: dict[str, str]) -> None:
                url = urlsplit(self.path)
                provider.asked.append(url.path)
                time.sleep(provider.delay_s)
                if url.path == "/authorize":
                    query = {name: values[0] for name, values in parse_qs(url.query).items()}
                    self.send_response(302)
                    self.send_header("location", provider._authorized(query))
                    self.send_header("content-length", "0")
                    self.end_headers()
                    return
                status, answer = provider._answer(url.path, form)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler
