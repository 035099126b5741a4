"""A certificate is taken up when it is whole, and only then."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from certificates import self_signed
from pipewatcher.errors import SettingsError
from pipewatcher.tls import Certificate


def served(certificate: Certificate) -> str:
    """What a client is shown, as PEM."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = certificate.context.wrap_bio(incoming, outgoing, server_side=True)
    peer = client.wrap_bio(outgoing, incoming)
    for side in (peer, server, peer, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = peer.getpeercert(binary_form=True)
    assert shown
    return ssl.DER_cert_to_PEM_cert(shown)


async def follow_for(certificate: Certificate, seconds: float) -> None:
    following = asyncio.create_task(certificate.follow(interval_s=0.02))
    await asyncio.sleep(seconds)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_pair_of_which_one_half_is_new_changes_nothing_until_the_other_is(
    tmp_path: Path,
) -> None:
    certificate_file, key_file = self_signed(tmp_path)
    certificate = Certificate(certificate_file, key_file)
    first = served(certificate)
    old_key = key_file.read_text()
    self_signed(tmp_path)
    new_key = key_file.read_text()
    key_file.write_text(old_key)
    await follow_for(certificate, 0.2)
    assert served(certificate) == first
    key_file.write_text(new_key)
    await follow_for(certificate, 0.2)
    assert served(certificate) == certificate_file.read_text() != first


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
@pytest.mark.parametrize("how", ["missing", "nonsense"])
def test_files_that_are_no_pair_are_wrong_settings(tmp_path: Path, broken: str, how: str) -> None:
    certificate_file, key_file = self_signed(tmp_path)
    if how == "missing":
        (tmp_path / broken).unlink()
    else:
        (tmp_path / broken).write_text("nonsense")
    with pytest.raises(SettingsError, match="PIPEWATCHER_TLS_CERT_FILE"):
        Certificate(certificate_file, key_file)
