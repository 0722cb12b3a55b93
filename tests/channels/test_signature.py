"""Holds signatures to the published vectors of Standard Webhooks and to everything that must not pass."""

from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.channels.signature import is_signed, secret_bytes, signed

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
KEY, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1735787045, UTC)
GOOD = {"webhook-id": KEY, "webhook-timestamp": "1735787045", "webhook-signature": signed([SECRET], KEY, AT, BODY)}


@pytest.mark.parametrize(
    ("seconds", "signature"),
    [
        (1614265330, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        (1735787045, "v1,o9b5wvj0wkQkT7gEEuPef6cGPg+R38BHi41fPo5gwes="),
    ],
)
@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_the_published_vectors_hold(seconds: int, signature: str, prefix: str) -> None:
    assert signed([prefix + SECRET], KEY, datetime.fromtimestamp(seconds, UTC), BODY) == signature


def test_during_a_rotation_both_secrets_sign() -> None:
    body = '{"type":"touch.requested","data":{"text":"张三"}}'.encode()
    assert signed([SECRET, NEXT], "a1b2", AT, body) == (
        "v1,7VIo1WVCgnWsABjlkxB62PDX5OE6+fcCyaV5Htr4NLI= v1,nTNbmSpej217nMGn9P1g+Dh+Va/559NTX5lDwh5S9nI="
    )


def test_a_time_counts_in_its_own_zone() -> None:
    from zoneinfo import ZoneInfo

    assert signed([SECRET], KEY, AT.astimezone(ZoneInfo("Asia/Shanghai")), BODY) == GOOD["webhook-signature"]


@pytest.mark.parametrize("secrets", [[SECRET], [NEXT, SECRET]])
@pytest.mark.parametrize("late", [-300, 0, 300])
def test_a_good_signature_is_known_for_five_minutes(secrets: list[str], late: int) -> None:
    assert is_signed(secrets, GOOD, BODY, AT + timedelta(seconds=late))


def test_one_good_signature_among_others_is_enough() -> None:
    headers = {**GOOD, "webhook-signature": "v1a,xxxx v1,AAAA " + GOOD["webhook-signature"]}
    assert is_signed([SECRET], headers, BODY, AT)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1," + "A" * 44},
        {"webhook-signature": GOOD["webhook-signature"].replace("v1,", "v1a,")},
        {"webhook-signature": "张三"},
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": "1735787046"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "9" * 30},
    ],
)
def test_anything_changed_is_not_signed(change: dict[str, str]) -> None:
    assert not is_signed([SECRET], {**GOOD, **change}, BODY, AT)


def test_another_body_secret_or_time_is_not_signed() -> None:
    assert not is_signed([SECRET], GOOD, BODY + b" ", AT)
    assert not is_signed([NEXT], GOOD, BODY, AT)
    assert not is_signed([SECRET], GOOD, BODY, AT + timedelta(seconds=301))
    assert not is_signed([SECRET], {}, BODY, AT)


@pytest.mark.parametrize("secret", ["", "geheim!", "AAAA", "QUFB" * 30])
def test_a_secret_must_be_24_to_64_bytes_of_base64(secret: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        secret_bytes(secret)
