from __future__ import annotations

import pytest

from pipewatcher.commit_log.kafka_records import Headers, origins_of


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        [("trace", b"1")],
        [("trace", b"1"), ("origin", b"mqtt:b")],
        [("origin", None), ("origin", b"mqtt:b")],
        [("origin", b"")],
        [("origin", b"mqtt:b"), ("trace", b"1")],
    ],
)
def test_a_record_with_other_headers_than_ours_does_not_change_the_origin_of_its_neighbours(
    odd: Headers | None,
) -> None:
    ours = [("origin", b"http:a")]
    has_origin = bool(odd) and ("origin", b"mqtt:b") in odd
    assert origins_of([ours, odd, ours]) == [
        "http:a",
        "mqtt:b" if has_origin else "kafka",
        "http:a",
    ]


def test_an_origin_that_is_no_text_or_has_no_end_is_cut_and_shown_as_far_as_it_goes() -> None:
    assert origins_of([[("origin", b"\xff" + b"x" * 10_000)]]) == ["\ufffd" + "x" * 199]
