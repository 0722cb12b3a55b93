"""Users and their attributes are changed by what is said, not by what is left out; tags stand until their last day."""

from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Engine

from sop_engine.core.catalog import Attribute, Tag
from sop_engine.core.conditions import Compare, Constant, Ref
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.core.project import Project, Settings
from sop_engine.core.records import UserRecord
from sop_engine.store.engine import transaction
from sop_engine.store.facts import read_facts
from sop_engine.store.scope import Scope
from sop_engine.store.tags import clear_tag, refresh_rule_tags, set_tag
from sop_engine.store.users import add_users, ensure_users, find_users, get_user, ids_by_key, set_attributes
from tests.builders import at

NOW = at("2025-03-10 12:00")
TODAY = date(2025, 3, 10).toordinal()
PROJECT = Project(
    Settings("人", "Asia/Shanghai"),
    attributes={
        n: Attribute(n, t) for n, t in (("城市", "text"), ("分", "number"), ("许可", "flag"), ("生日", "date"), ("手机号", "phone"))
    },
    tags={
        "高分": Tag("高分", when=Compare(">=", Ref("attribute", "分", "number"), Constant(Decimal(5)))),
        "近期高分": Tag("近期高分", when=Compare(">=", Ref("attribute", "分", "number"), Constant(Decimal(5))), keeps=3),
        "体验官": Tag("体验官", keeps=90),
    },
)


def test_attributes_come_back_as_they_were_said(engine: Engine) -> None:
    said = {"城市": "上'海\\%:", "分": Decimal("12.30"), "许可": False, "生日": date(2000, 2, 29), "手机号": "+8613800000000"}
    with transaction(engine) as tx:
        add_users(tx, PROJECT, [UserRecord("u", NOW, said, "Europe/Paris", "fr")])
        user = get_user(tx, PROJECT, "u")
    assert user.attributes == said
    assert (user.key, user.joined_at, user.timezone, user.locale) == ("u", NOW, "Europe/Paris", "fr")


def test_what_is_not_said_stays_and_none_is_forgotten(engine: Engine) -> None:
    with transaction(engine) as tx:
        add_users(tx, PROJECT, [UserRecord("u", NOW, {"城市": "上海", "分": Decimal(1)}, "Asia/Tokyo", "ja")])
        add_users(tx, PROJECT, [UserRecord("u", None, {"城市": None, "许可": True})], NOW)
        user = get_user(tx, PROJECT, "u")
        assert user.attributes == {"分": 1, "许可": True}
        assert (user.timezone, user.locale) == ("Asia/Tokyo", "ja")
        set_attributes(tx, user.id, {"分": None, "城市": "北京"})
        assert get_user(tx, PROJECT, "u").attributes == {"城市": "北京", "许可": True}


def test_the_last_word_about_a_user_in_one_batch_wins(engine: Engine) -> None:
    with transaction(engine) as tx:
        records = [UserRecord("u", NOW, {"分": Decimal(1), "城市": "上海"}), UserRecord("u", at("2025-01-01"), {"分": Decimal(2)})]
        ids = add_users(tx, PROJECT, records)
        assert list(ids) == ["u"]
        user = get_user(tx, PROJECT, "u")
        assert (user.attributes, user.joined_at) == ({"分": 2, "城市": "上海"}, at("2025-01-01"))


def test_the_earlier_joining_counts(engine: Engine) -> None:
    with transaction(engine) as tx:
        add_users(tx, PROJECT, [UserRecord("u", at("2025-02-01 10:00"))])
        for seen, expected in (("2025-03-01 10:00", "2025-02-01 10:00"), ("2025-01-01 00:30", "2025-01-01 00:30")):
            ids, new = ensure_users(tx, PROJECT, [("u", at(seen))])
            assert (set(ids), new) == ({"u"}, set())
            assert get_user(tx, PROJECT, "u").joined_at == at(expected)
        assert read_facts(tx, PROJECT, ["joined"], Scope.everybody(), NOW)[ids["u"]] == {"joined": date(2025, 1, 1)}


def test_unknown_users_are_added_once(engine: Engine) -> None:
    with transaction(engine) as tx:
        ids, new = ensure_users(tx, PROJECT, [("a", NOW), ("b", NOW), ("a", at("2025-03-01"))])
        assert new == {"a", "b"} and ids == ids_by_key(tx, ["a", "b", "c"])
        assert [u.key for u in find_users(tx, PROJECT, ids=[ids["b"]], keys=["a"])] == ["a", "b"]
        with pytest.raises(NotFound, match="no user 'c'"):
            get_user(tx, PROJECT, "c")
        with pytest.raises(BadInput, match="joined_at"):
            add_users(tx, PROJECT, [UserRecord("d")])


def test_a_tag_stands_until_the_end_of_its_last_day(engine: Engine) -> None:
    def stands(day: str) -> object:
        return read_facts(tx, PROJECT, ["体验官"], Scope.of([user]), at(day))[user]["体验官"]

    with transaction(engine) as tx:
        user = add_users(tx, PROJECT, [UserRecord("u", NOW)])["u"]
        assert stands("2025-03-10 12:00") is False
        set_tag(tx, user, "体验官", NOW, until_day=TODAY + 1, evidence=[{"event": 1, "word": "好"}])
        assert [stands("2025-03-11 23:59"), stands("2025-03-12 00:00")] == [True, False]
        set_tag(tx, user, "体验官", NOW)
        assert stands("2035-03-12 00:00") is True
        clear_tag(tx, user, "体验官")
        assert stands("2025-03-10 12:00") is False


def test_a_rule_tag_stands_while_its_rule_holds_and_with_for_so_long_after_it_last_held(engine: Engine) -> None:
    def stand(day: str) -> list[object]:
        refresh_rule_tags(tx, PROJECT, Scope.everybody(), at(day))
        read = read_facts(tx, PROJECT, ["高分", "近期高分"], Scope.of([user]), at(day))[user]
        return [read["高分"], read["近期高分"]]

    with transaction(engine) as tx:
        user = add_users(tx, PROJECT, [UserRecord("u", NOW, {"分": Decimal(5)})])["u"]
        assert [stand("2025-03-10 12:00"), stand("2025-03-11 12:00")] == [[True, True], [True, True]]
        set_attributes(tx, user, {"分": Decimal(4)})
        days = [stand(f"2025-03-{day} 12:00") for day in (11, 14, 15)]
        assert days == [[False, True], [False, True], [False, False]]
        refresh_rule_tags(tx, PROJECT, Scope.of([]), NOW)
