"""Who is one person: shared identities, stronger ones that differ, placeholders, and what becomes of what both had."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.core.conditions import And, Not, Ref, Truth
from sop_engine.core.identity import Known, Merge, Shared, Wait, candidates, decide, is_placeholder, older_first
from sop_engine.core.uniting import Coupon, Told, coupons_to_void, refusals_of, united_attributes

ORDER = ("unionid", "phone", "device")
AT = datetime(2025, 3, 1, tzinfo=UTC)
VALUES = st.dictionaries(st.sampled_from(ORDER), st.frozensets(st.sampled_from(["v1", "v2"]), min_size=1, max_size=1))


def ids(**values: str) -> dict[str, frozenset[str]]:
    return {name: frozenset(value.split()) for name, value in values.items()}


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (ids(phone="1"), ids(phone="1"), Merge(Shared("phone", "1"))),
        (ids(phone="1"), ids(phone="2"), None),
        (ids(phone="1", device="d"), ids(phone="2", device="d"), Wait(Shared("device", "d"), "their phone differs", differs=True)),
        (ids(unionid="u", phone="1"), ids(unionid="u", phone="2"), Merge(Shared("unionid", "u"))),
        (ids(unionid="u v", phone="1"), ids(unionid="w", phone="1"), Wait(Shared("phone", "1"), "their unionid differs", differs=True)),
        (ids(unionid="u", phone="1"), ids(phone="1"), Merge(Shared("phone", "1"))),
        ({}, {}, None),
    ],
)
def test_x_13_who_shares_an_identity_is_one_unless_a_stronger_one_differs(one: object, other: object, found: object) -> None:
    if isinstance(found, Merge | Wait) and len(found.shared.value) == 1 and found.shared.value.isdigit():
        assert not is_placeholder(found.shared.value)
    assert decide(ORDER, one, other) == found


@given(VALUES, VALUES)
def test_x_13_the_decision_is_the_same_from_either_side(one: dict[str, frozenset[str]], other: dict[str, frozenset[str]]) -> None:
    assert decide(ORDER, one, other) == decide(ORDER, other, one)


@pytest.mark.parametrize("value", ["13800000000", "+86 138 0000 0000", "00000000000", "123456789", "11111111111", "unknown", "无", "0", ""])
def test_x_13_what_stands_for_no_number_unites_nobody(value: str) -> None:
    assert is_placeholder(value)
    assert isinstance(decide(ORDER, ids(phone="x") | {"phone": frozenset({value})}, {"phone": frozenset({value})}), Wait)


@pytest.mark.parametrize("value", ["13912345671", "+8613800138000", "U1", "o6_bmjrPTlm6_2sgVt7hMZOPfL2M", "a@example.org"])
def test_x_13_a_number_of_somebody_is_no_placeholder(value: str) -> None:
    assert not is_placeholder(value)


def test_x_13_who_may_be_either_of_two_who_differ_waits_with_both() -> None:
    known = {1: ids(unionid="u", phone="1"), 2: ids(unionid="v", phone="1"), 3: ids(phone="1")}
    merges, waits = candidates(ORDER, 3, known)
    assert merges == {}
    assert set(waits) == {1, 2}
    assert candidates(ORDER, 3, {1: known[1], 3: known[3]})[0] == {1: Merge(Shared("phone", "1"))}


def test_x_13_the_earlier_registration_stays() -> None:
    early, late = Known(2, "b", AT), Known(1, "a", AT + timedelta(days=1))
    assert older_first(late, early) == older_first(early, late) == (early, late)


def test_x_13_the_newer_known_value_wins_and_a_refusal_always() -> None:
    older = Told({"city": "x", "ok": False, "no_sms": False, "old": 1}, {"city": (AT + timedelta(days=9)).isoformat()}, AT)
    younger = Told({"city": "y", "ok": True, "no_sms": True, "new": 2, "old": None}, {}, AT + timedelta(days=5))
    needs = And((Truth(Ref("attribute", "ok", "flag")), Not(Truth(Ref("attribute", "no_sms", "flag")))))
    refusals = refusals_of([needs, None])
    assert refusals == {"ok": False, "no_sms": True}
    assert united_attributes(older, younger, refusals)[0] == {"city": "x", "ok": False, "no_sms": True, "old": 1, "new": 2}
    assert united_attributes(younger, older, refusals)[0]["ok"] is False


def test_x_13_of_a_benefit_both_hold_the_one_valid_longest_stays() -> None:
    mine, theirs = Coupon(1, 10, "g", AT), Coupon(2, 20, "g", AT + timedelta(days=1))
    assert coupons_to_void(10, [mine, theirs, Coupon(3, 20, "other", None)]) == [1]
    assert coupons_to_void(10, [mine, Coupon(2, 20, "g", AT)]) == [2]
    assert coupons_to_void(10, [mine, Coupon(4, 10, "g", None)]) == []
