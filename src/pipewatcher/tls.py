"""A certificate of ours for TLS, taken up again when its files change: no restart, no gap."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from pipewatcher.errors import SettingsError

log = logging.getLogger(__name__)

LOOK_INTERVAL_S = 10.0


class Certificate:
    """`context` always serves the newest pair of files that was good."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises `SettingsError`."""
        self._files = (certificate, key)
        try:
            self._seen = self._look()
            self.context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"PIPEWATCHER_TLS_CERT_FILE and _KEY_FILE: {certificate} and {key}: {error}",
                hint="A certificate with its chain and its unencrypted key, both as PEM.",
            ) from None

    async def follow(self, interval_s: float = LOOK_INTERVAL_S) -> None:
        """Until cancelled. A pair that is not good, perhaps because only one of its files has been
        replaced so far, changes nothing."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await asyncio.to_thread(self._renew)
            except (OSError, ssl.SSLError) as error:
                log.warning("the certificate stays as it was: %s", error)

    def _renew(self) -> None:
        seen = self._look()
        if seen != self._seen:
            self._load()  # the one in use would keep half of a pair that does not fit
            self.context.load_cert_chain(*self._files)
            self._seen = seen
            log.info("the certificate was renewed from %s", self._files[0])

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files)
        return context

    def _look(self) -> list[tuple[int, int, int]]:
        found = [path.stat() for path in self._files]
        return [(one.st_mtime_ns, one.st_size, one.st_ino) for one in found]
