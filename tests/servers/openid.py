"""npm's certified oidc-provider: any name signs in with any password."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import httpx
from joserfc.jwk import RSAKey

from servers.process import FOLDER, ServerProcess, free_port

HOME = FOLDER / "openid"
SCRIPT = Path(__file__).resolve().parents[2] / "deploy/dev/servers/openid/provider.mjs"
CLIENT_ID = "pipewatcher"
CLIENT_SECRET = "only-for-tests-" + "x" * 32


def missing() -> str | None:
    if _node() is None:
        return "there is no node"
    return None if (HOME / "stamp").is_file() else "deploy/dev/servers/openid.sh was not run"


class OpenIdProvider(ServerProcess):
    """`accounts` are names with their claims; who is not among them is known without any.

    `url` is where PipeWatcher's page is.
    """

    def __init__(
        self, folder: Path, url: str, accounts: Mapping[str, Mapping[str, object]]
    ) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._config = folder / "config.json"
        self._told = {
            "port": self.port,
            "accounts": accounts,
            "client": {
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "redirect_uris": [f"{url}/api/v1/session/openid/oidc/callback"],
                "post_logout_redirect_uris": [f"{url}/"],
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
        # A module finds its packages beside itself, not where it is started.
        script = HOME / "provider.mjs"
        script.write_bytes(SCRIPT.read_bytes())
        super().__init__([str(_node()), str(script), str(self._config)], folder, self._answers)
        self._make_keys()

    def rotate_keys(self) -> None:
        """It is started again with others; what it signed before is worth nothing any more."""
        self.kill()
        self._make_keys()
        self.start()

    def _make_keys(self) -> None:
        key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
        self._told["keys"] = [key.as_dict(private=True)]
        self._config.write_text(json.dumps(self._told))

    def _answers(self) -> bool:
        try:
            found = httpx.get(f"{self.issuer}/.well-known/openid-configuration")
        except httpx.TransportError:
            return False
        return found.status_code == 200


def _node() -> str | None:
    built = FOLDER.parent / ".build/node/bin/node"
    return shutil.which("node") or (str(built) if built.is_file() else None)
