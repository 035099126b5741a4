"""What Kafka clients complain about: told once, not at every of ten reconnects a second."""

from __future__ import annotations

import logging
import time

from confluent_kafka import KafkaError, KafkaException

from pipewatcher.commit_log.kafka_url import SETTING, KafkaTarget
from pipewatcher.errors import CommitLogUnavailable, PipeWatcherError, SettingsError

log = logging.getLogger(__name__)

SAID_AGAIN_AFTER_S = 30.0


class Complaints:
    """A client's `error_cb`. A sign-in that failed shows in calls as a timeout only: `last` knows
    better."""

    def __init__(self) -> None:
        self.last: KafkaError | None = None
        self.fatal = False
        self._said_at = 0.0

    def __call__(self, error: KafkaError) -> None:
        if error.fatal():
            self.fatal = True
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - so the driver names it
            return
        self.last = error
        if time.monotonic() - self._said_at > SAID_AGAIN_AFTER_S or error.fatal():
            self._said_at = time.monotonic()
            log.warning("Kafka: %s", error.str())


def explained(
    error: KafkaException, last: KafkaError | None, target: KafkaTarget
) -> PipeWatcherError:
    """The error as the operator can act on it."""
    told: KafkaError = last or error.args[0]
    text = told.str()
    if told.code() in {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
    }:
        return SettingsError(
            f"{SETTING}: Kafka at {target.servers} does not accept this user and password.",
            hint="Check user, password, mechanism= and security= in the URL.",
        )
    if "security.protocol" in text or "SSL" in text:
        return SettingsError(
            f"{SETTING}: Kafka at {target.servers} speaks another security protocol: {text}",
            hint="security= must be what the listener speaks: plaintext, ssl, sasl_plaintext or "
            "sasl_ssl; ca= names the file of the authority that signed its certificate.",
        )
    return CommitLogUnavailable(
        f"Kafka at {target.servers} cannot be reached: {text}",
        hint=f"Check host and port in {SETTING} and whether Kafka runs.",
    )
