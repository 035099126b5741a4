"""What strangers send, and a certificate that nobody renewed in time."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
from confluent_kafka import Producer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID

from certificates import self_signed
from faults.kinds import SPLIT, kind
from faults.scene import ANSWERS_WITHIN_S, Scene
from server import AUTH

POISON = [b"", b"\0\xff", b"{", b"[]", b'{"equipmentId": "P-1"}', b"9" * 100_000]


@kind("poison records in Kafka", SPLIT)
async def poison_records(scene: Scene) -> None:
    assert scene.kafka is not None
    producer = Producer({"bootstrap.servers": scene.kafka.servers, "log_level": 0})
    for record in POISON:
        producer.produce("readings", value=record, key=scene.rng.choice([None, b"", b"\xff"]))
    left = await asyncio.to_thread(producer.flush, 20)
    assert left == 0, "Kafka did not take the poison"


@kind("poison at the doors")
async def poison_at_doors(scene: Scene) -> None:
    """Refused with a reason, each of them."""
    async with httpx.AsyncClient(base_url=scene.gateway_url, headers=AUTH, timeout=20) as client:
        for body in POISON:
            answer = await client.post(
                "/api/v1/readings", content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code in {400, 422, 503}, (body[:20], answer.status_code)
        unsigned = {"equipmentId": "P-2", "timestamp": "2026-01-01T00:00:00Z", "value": 1.0}
        wrong = {"authorization": "Bearer wrong"}
        answer = await client.post("/api/v1/readings", json=unsigned, headers=wrong)
        assert answer.status_code == 401
    host, port = scene.gateway_url.removeprefix("http://").split(":")
    for rubbish in (b"\0" * 50, b"\x10\xff\xff\xff\xff", b"GET / HTTP/9.9\r\n" * 3):
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(rubbish)
            writer.write_eof()
            async with asyncio.timeout(20):
                await reader.read()
            writer.close()


@kind("certificate expires")
async def certificate_expires(scene: Scene) -> None:
    """Who checks it is not served, and is again when it was renewed, without a restart."""
    assert scene.certificate is not None
    folder = scene.certificate[0].parent
    await asyncio.to_thread(_expire, *scene.certificate)
    await _until_tls(scene, trusted=False)
    await asyncio.to_thread(self_signed, folder)
    await _until_tls(scene, trusted=True)


def _expire(certificate: Path, key_file: Path) -> None:
    """Of the same key and name, it was good for a day in 2020."""
    key = load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    began = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(began).not_valid_after(began + timedelta(days=1))
    names = [x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signed = builder.sign(key, hashes.SHA256())
    certificate.write_bytes(signed.public_bytes(Encoding.PEM))


async def _until_tls(scene: Scene, *, trusted: bool) -> None:
    assert scene.certificate is not None
    until = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        context = ssl.create_default_context(cafile=scene.certificate[0])
        try:
            async with httpx.AsyncClient(verify=context, timeout=20) as client:
                await client.get(f"https://127.0.0.1:{scene.https_port}/healthz")
            served = True
        except httpx.TransportError:
            served = False
        if served == trusted:
            return
        assert time.monotonic() < until, f"TLS: served is {served}, the certificate {trusted}"
        await asyncio.sleep(0.5)
