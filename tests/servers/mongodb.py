"""FerretDB: MongoDB's protocol on SQLite files."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import ConnectionFailure, OperationFailure

from servers.process import FOLDER, ServerProcess, free_port

BINARY = FOLDER / "mongodb" / "ferretdb"


def missing() -> str | None:
    return None if BINARY.is_file() else "deploy/dev/servers/mongodb.sh was not run"


class MongoDB(ServerProcess):
    """With `user` and `password` it demands them; with `certificate`, a file of certificate and
    key, it speaks TLS on `tls_port` too."""

    def __init__(
        self,
        folder: Path,
        *,
        user: str | None = None,
        password: str = "",
        certificate: Path | None = None,
    ) -> None:
        self.port = free_port()
        self.tls_port = free_port()
        self._user = user
        self._password = password
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        command = [str(BINARY), "--handler=sqlite", f"--sqlite-url=file:{data}/"]
        command += [f"--listen-addr=127.0.0.1:{self.port}", "--debug-addr=-", f"--state-dir={data}"]
        command += ["--telemetry=disable", "--log-level=ERROR"]
        if user is not None:
            command += ["--test-enable-new-auth", "--setup-database=admin"]
            command += [f"--setup-username={user}", f"--setup-password={password}"]
        if certificate is not None:
            command += [f"--listen-tls=127.0.0.1:{self.tls_port}"]
            command += [f"--listen-tls-cert-file={certificate}"]
            command += [f"--listen-tls-key-file={certificate}"]
        super().__init__(command, folder, self._answers)

    def url(self, database: str = "pipewatcher", *, password: str | None = None) -> str:
        if self._user is None:
            return f"mongodb://127.0.0.1:{self.port}/{database}"
        sign_in = f"{self._user}:{password or self._password}"
        return f"mongodb://{sign_in}@127.0.0.1:{self.port}/{database}?authSource=admin"

    def _answers(self) -> bool:
        with contextlib.suppress(ConnectionFailure):
            client: MongoClient[dict[str, object]] = MongoClient(
                "127.0.0.1", self.port, serverSelectionTimeoutMS=500
            )
            with client:
                with contextlib.suppress(OperationFailure):  # it wants a password: it answers
                    client.admin.command("ping")
                return True
        return False
