"""An address is remembered under a keyed hash of its one spelling: the published figures, and nothing without the key."""

import pytest

from sop_engine.core.suppression import ENDED_BY, OF_ERROR, REASONS, address_hmac, kind_of_address, normal_form

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("kind", "written", "digest"),
    [
        ("phone", "139 0000 1234", "0355abfc4b25d81043ec5ccb089065901b302c9d6e8775ce5e62333a523037c8"),
        ("phone", "008613900001234", "0355abfc4b25d81043ec5ccb089065901b302c9d6e8775ce5e62333a523037c8"),
        ("email", "user@EXAMPLE.net", "76a39200fafa1215b7f0d39aa2517af16f43f6ca0bf1b9d25d8d019443a5dc65"),
    ],
)
def test_an_address_has_one_name_however_it_is_written(kind: str, written: str, digest: str) -> None:
    normal = normal_form(kind, written)
    assert normal is not None
    assert address_hmac(KEY, kind, normal) == digest
    assert address_hmac(KEY[::-1], kind, normal) != digest


def test_what_is_no_address_has_no_normal_form_and_an_id_is_what_is_neither() -> None:
    assert (normal_form("phone", "12345"), normal_form("email", "nobody"), normal_form("id", "  ")) == (None, None, None)
    assert [kind_of_address(a) for a in ("13900001234", "a@example.com", "wmAAAA")] == ["phone", "email", "id"]


def test_every_reason_that_ends_or_comes_from_a_channel_is_one_of_the_list() -> None:
    assert {r for reasons in ENDED_BY.values() for r in reasons} | set(OF_ERROR.values()) <= set(REASONS)
