"""Holds how phone numbers and e-mail addresses are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.core.addresses import email_address, phone_e164


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800001234", "+8613800001234"),
        ("138 0000 1234", "+8613800001234"),
        ("138-0000-1234", "+8613800001234"),
        ("(138)0000.1234", "+8613800001234"),
        ("8613800001234", "+8613800001234"),
        ("+86 138 0000 1234", "+8613800001234"),
        ("008613800001234", "+8613800001234"),
        ("１３８００００１２３４", "+8613800001234"),
        ("（138）0000－1234", "+8613800001234"),
        ("\u202d13800001234\u202c", "+8613800001234"),
        ("+4917012345678", "+4917012345678"),
        ("+1 (202) 555-0123", "+12025550123"),
    ],
)
def test_a_phone_number_is_kept_in_one_form(written: str, number: str) -> None:
    assert phone_e164(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "12345",
        "12800001234",
        "1380000123",
        "138000012345",
        "+8612800001234",
        "+86138000012345",
        "+0123456789",
        "+12345",
        "1.38E+10",
        "u-1",
    ],
)
def test_what_is_no_phone_number_is_none(written: str) -> None:
    assert phone_e164(written) is None


@given(st.text(max_size=30))
def test_a_phone_number_stays_as_it_is_when_read_again(text: str) -> None:
    number = phone_e164(text)
    assert number is None or phone_e164(number) == number


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("user@example.net", "user@example.net"),
        (" User.Name+tag@Example.NET ", "User.Name+tag@example.net"),
        ("user@例子.中国", "user@xn--fsqu00a.xn--fiqs8s"),
        ("user＠example.net", "user@example.net"),
    ],
)
def test_an_address_keeps_its_name_and_lowers_its_domain(written: str, address: str) -> None:
    assert email_address(written) == address


@pytest.mark.parametrize(
    "written",
    [
        "", "user", "@example.net", "user@", "user@localhost", "a@b@example.net", "a,b@example.net", "a b@example.net", "张三@example.net",
        "user@exa mple.net", "user@-x.net", "user@example.net\r\nBcc: x@example.net", "user@example.net\x00", "<user@example.net>",
        f"{'x' * 65}@example.net", f"u@{'x' * 64}.net", "u@" + "x." * 130 + "net", "user@example..net",
    ],
)  # fmt: skip
def test_what_is_no_address_is_none(written: str) -> None:
    assert email_address(written) is None
