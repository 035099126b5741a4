"""Addresses of MQTT brokers: what is understood, and that no password shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipewatcher.errors import SettingsError
from pipewatcher.settings import load_settings
from pipewatcher.sources.mqtt_broker_url import parse_broker_urls


def test_an_address_is_read_with_its_defaults() -> None:
    (plain,) = parse_broker_urls("mqtt://broker/plant/+/readings/#")
    assert (plain.host, plain.port, plain.topic_filter) == ("broker", 1883, "plant/+/readings/#")
    assert (plain.user, plain.password, plain.tls) == (None, None, False)
    (full,) = parse_broker_urls("mqtts://ana:p%40%2C%3A%2F:%3F@[::1]:99/%C3%A9%2C/#")
    assert (full.host, full.port, full.topic_filter) == ("::1", 99, "é,/#")
    assert (full.user, full.password, full.tls) == ("ana", "p@,:/:?", True)


def test_several_are_separated_by_commas() -> None:
    found = parse_broker_urls("mqtt://a/x,y/#, mqtts://u:p@b:1/z")
    assert [one.name for one in found] == ["a:1883/x,y/#", "b:1/z"]


def test_a_filter_is_shared_between_gateways_once() -> None:
    (one,) = parse_broker_urls("mqtt://a/plant/#")
    assert one.subscription(shared=False) == "plant/#"
    assert one.subscription(shared=True) == "$share/pipewatcher/plant/#"
    (given,) = parse_broker_urls("mqtt://a/$share/mine/plant/#")
    assert given.subscription(shared=True) == "$share/mine/plant/#"


def test_the_files_of_tls_must_be_there(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    (target,) = parse_broker_urls(f"mqtts://a/x?ca={file}")
    with pytest.raises(SettingsError, match="PEM"):
        target.tls_context()
    with pytest.raises(SettingsError, match="mqtts"):
        parse_broker_urls(f"mqtt://a/x?ca={file}")
    with pytest.raises(SettingsError, match="no file"):
        parse_broker_urls("mqtts://a/x?ca=/nowhere")


@pytest.mark.parametrize(
    "rest",
    ["@broker", "@broker/", "@broker:0/x", "@broker:99999/x", "@broker:x/x", "@broker/a#", "@/x",
     "@broker/#/a", "@broker/a+/b", "@broker/x?colour=red", "/ret@broker/x", "@bro@ker/x"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_without_its_password(rest: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_broker_urls(f"mqtt://ana:sec{rest}")
    assert "sec" not in str(caught.value)
    with pytest.raises(SettingsError) as told:
        load_settings(environ={"PIPEWATCHER_MQTT_BROKER": f"mqtt://ana:sec{rest}"})
    assert "PIPEWATCHER_MQTT_BROKER" in str(told.value)
    assert "sec" not in str(told.value)


def test_the_password_does_not_show_in_the_settings_or_the_target() -> None:
    url = "mqtt://ana:hush@broker/x"
    settings = load_settings(environ={"PIPEWATCHER_MQTT_BROKER": url})
    assert "hush" not in repr(settings)
    assert "hush" not in repr(parse_broker_urls(url))
