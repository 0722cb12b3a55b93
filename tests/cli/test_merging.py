"""The commands `sop merge` and `sop merges` say who is one and who waits, and `sop user` and `sop why` who somebody is now."""

import pytest

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

PHONE = "13912345671"


def declare(shop: Shop) -> None:
    """The project says what identifies a user."""
    shop.write("playbooks/who.yml", "attributes:\n  unionid: text\n---\nidentities: {unionid: private, 手机号: private}\n")
    shop.ok("apply", "--yes")


def known(shop: Shop) -> None:
    """老陈 with a phone, and 天猫陈 who turns out to have the same."""
    declare(shop)
    for key in ("老陈", "天猫陈"):
        shop.ok("track", key, "visit")
    shop.ok("set", "老陈", "手机号", PHONE)


def test_x_13_a_phone_that_is_set_makes_one_user_of_two_and_every_id_leads_there(shop: Shop) -> None:
    known(shop)
    assert shop.ok("merges") == "no pair waits for a person\n"
    shop.ok("set", "天猫陈", "手机号", PHONE, "--author", "王经理")
    (made,) = shop.json("merges")["made"]
    assert {made["older"], made["younger"], made["state"], made["why"]} == {"老陈", "天猫陈", "done", "the same 手机号"}
    here, gone = made["older"], made["younger"]
    told = shop.sop("user", gone, "--json")
    assert (told.json["user"], told.json["events"]["visit"][0]) == (here, 2)
    assert told.err == f"{gone} is {here} since merge 1 ('sop merges').\n"
    assert shop.sop("why", PHONE, "--json").json["user"] == here
    by_phone = shop.sop("user", PHONE)
    assert by_phone.err == f"this is the user {here}.\n"
    assert PHONE not in by_phone.out


def test_x_13_a_merge_is_undone_by_its_number_and_then_they_are_two(shop: Shop) -> None:
    known(shop)
    told = shop.ok("merge", "老陈", "天猫陈", "--by", "王经理")
    assert "from now on (merge 1)" in told
    assert "王经理" in shop.ok("merges")
    assert "are two users" in shop.ok("merges", "--undo", 1, "--by", "王经理")
    assert {shop.json("user", key)["user"] for key in ("老陈", "天猫陈")} == {"老陈", "天猫陈"}
    again = shop.sop("merges", "--undo", 1)
    assert (again.code, again.err) == (1, "Error: merge 1 was undone already.\n")
    assert shop.json("merges")["made"][0]["undone_by"] == "王经理"


def test_s2_45_one_phone_on_two_unionids_is_listed_until_somebody_decides(shop: Shop) -> None:
    known(shop)
    shop.ok("set", "老陈", "unionid", "U1")
    shop.ok("set", "天猫陈", "unionid", "U2")
    shop.ok("set", "天猫陈", "手机号", PHONE)
    (waiting,) = shop.json("merges")["waiting"]
    assert waiting["why"] == "their unionid differs"
    assert "their unionid differs" in shop.ok("merges")
    several = shop.sop("user", PHONE)
    assert several.code == 1
    assert "several users have this identity" in several.err
    shop.ok("merge", "老陈", "天猫陈")
    assert shop.json("merges")["waiting"] == []


def test_x_13_an_import_unites_users_who_share_an_identity_and_starts_nothing(shop: Shop) -> None:
    declare(shop)
    file = shop.write("users.csv", f"user_id,手机号,unionid\nA1,{PHONE},U1\nA2,{PHONE},\nA3,,U1\n")
    shop.ok("import", file, "--as", "users")
    found = shop.json("merges")
    assert (len(found["made"]), found["waiting"]) == (2, [])
    assert {shop.json("user", key)["user"] for key in ("A1", "A2", "A3")} == {"A1"}
    shop.ok("import", file, "--as", "users")
    assert len(shop.json("merges")["made"]) == 2
    assert shop.json("user", "A3")["runs"] == []
