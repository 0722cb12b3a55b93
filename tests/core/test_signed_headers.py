"""A received mail names what its signature leaves out: without both unsubscribe headers in h=, mail programs offer no way out."""

import pytest

from sop_engine.core.signed_headers import MUST_BE_SIGNED, examine_mail

HEADERS = (
    "From: =?utf-8?b?5p+Q?= <news@mail.example.com>\r\nTo: a@example.net\r\nSubject: x\r\nDate: y\r\nMessage-ID: <k@mail.example.com>\r\n"
    "List-Unsubscribe: <https://go.example.com/u/x>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
)
ALL = "from:to:subject:date:message-id:list-unsubscribe:list-unsubscribe-post"


def mail(h: str, *, d: str = "mail.example.com", headers: str = HEADERS) -> bytes:
    """The source of a mail with one signature, folded as relays do, and a body that looks like headers."""
    folded = h.replace(":subject", ":\r\n\tsubject")
    signature = f"DKIM-Signature: v=1; a=rsa-sha256; d={d}; s=k1;\r\n h={folded}; bh=xx=; b=yy==\r\n"
    return f"{signature}{headers}\r\nDKIM-Signature: h=from\r\n".encode()


def test_a_mail_that_signs_everything_is_good() -> None:
    found = examine_mail(mail(ALL))
    assert (found.good, found.sender_domain, found.absent) == (True, "mail.example.com", ())
    assert [(s.domain, s.selector, s.missing) for s in found.signatures] == [("mail.example.com", "k1", ())]


@pytest.mark.parametrize("header", MUST_BE_SIGNED)
def test_each_header_that_is_left_out_is_named(header: str) -> None:
    signed = ":".join(h for h in ALL.upper().split(":") if h != header.upper())
    found = examine_mail(mail(signed))
    assert (found.good, found.signatures[0].missing) == (False, (header,))


def test_a_header_that_is_not_there_a_foreign_signature_and_none_at_all_are_not_good() -> None:
    without = HEADERS.replace("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "")
    assert examine_mail(mail(ALL, headers=without)).absent == ("list-unsubscribe-post",)
    assert not examine_mail(mail(ALL, headers=without)).good
    assert not examine_mail(mail(ALL, d="relay.example.org")).good
    assert examine_mail(mail(ALL, d="example.com")).good
    assert (examine_mail(HEADERS.encode()).signatures, examine_mail(b"").good, examine_mail(b"\xff\x00:\r\n").good) == ((), False, False)


def test_one_good_signature_beside_a_poor_one_is_enough() -> None:
    poor = b"DKIM-Signature: v=1; d=mail.example.com; h=from\r\n"
    assert examine_mail(poor + mail(ALL)).good
