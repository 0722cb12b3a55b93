"""Which users become one, and which pairs wait for a person; what the commands say of them."""

import pytest
from sqlalchemy import Engine

from sop_engine.core.errors import BadInput
from tests.actions.identity_shop import FLOW, WHO, become_one, by_hand, merges, open_shop, two


def test_s2_45_one_phone_on_two_unionids_waits_for_a_person(engine: Engine) -> None:
    shop = open_shop(engine)
    shop.user("a", phone="13912345671", unionid="U1")
    shop.user("b", phone="13912345671", unionid="U2")
    shop.user("c", phone="13912345671")
    found = merges(shop)
    assert found.made == ()
    assert {(m.older, m.younger, m.why) for m in found.waiting} >= {("a", "b", "their unionid differs")}
    assert [m.why for m in found.waiting if m.younger == "c"] == ["several users who are not one have this phone"]
    by_hand(shop, "a", "b")
    assert [(m.older, m.younger, m.state) for m in merges(shop).made][-1] == ("a", "b", "done")
    with pytest.raises(BadInput, match="one user already"):
        by_hand(shop, "a", "b")


def test_x_13_a_phone_of_many_users_waits_for_a_person(engine: Engine) -> None:
    shop = open_shop(engine)
    for n in range(8):
        shop.user(f"u{n}", phone="13912345671")
    found = merges(shop)
    assert len(found.made) == 4
    assert {m.why for m in found.waiting} == {"more than 5 users have this phone"}
    assert len(found.waiting) == 3


def test_x_13_without_identities_nobody_is_anybody_else(engine: Engine) -> None:
    shop = open_shop(engine, catalogue=WHO.replace("identities: {unionid: private, phone: private, device: public}\n---\n", ""))
    two(shop)
    become_one(shop)
    assert merges(shop).made == ()
    shop.apply(FLOW, catalogue=WHO)  # declared later, it is seen who is one
    assert [(m.older, m.younger) for m in merges(shop).made] == [("a", "b")]
