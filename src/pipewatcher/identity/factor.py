"""The second factor: six digits that change every 30 seconds (RFC 6238)."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pyotp
import segno

STEP_S = 30
DRIFT_STEPS = 1
"""A telephone's clock may be off by so much."""
ISSUER = "PipeWatcher"


@dataclass(frozen=True, slots=True)
class NewFactor:
    secret: str
    uri: str
    svg: str
    """The address as a QR code."""

    def __repr__(self) -> str:
        return "NewFactor(…)"


def new_factor(name: str) -> NewFactor:
    secret = pyotp.random_base32()
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=ISSUER)
    picture = io.BytesIO()
    segno.make(uri, error="m").save(
        picture, kind="svg", scale=4, border=3, xmldecl=False, light="#fff", nl=False
    )
    return NewFactor(secret, uri, picture.getvalue().decode())


def step_of(secret: str, code: str, now_s: float) -> int | None:
    """The step that `code` belongs to, near to now; None when it is wrong."""
    totp = pyotp.TOTP(secret)
    present = int(now_s) // STEP_S
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if pyotp.utils.strings_equal(totp.generate_otp(step), code):
            return step
    return None
