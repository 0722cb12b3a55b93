"""One path over public and private, whoever the user was at the time; and the common ways to a first order, by segment."""

from collections.abc import Sequence

from sqlalchemy import Engine

from sop_engine.actions.ingest import record_events
from sop_engine.actions.paths import Path, common_ways, path_of
from sop_engine.core.domains import domain_of_source
from sop_engine.core.records import EventRecord, UserRecord
from sop_engine.store.paths import Way
from tests.shop import Shop
from tests.shop_project import CATALOGUE

WHO = CATALOGUE.replace("  birthday: date", "  birthday: date\n  wecom: text\n  douyin: text").replace(
    "  visit: {page: text}", "  visit: {page: text}\n  ad_view: {}\n  detail: {}\n  compare: {}\n  guide: {}\n  review: {}"
)
IDENTITIES = "identities: {wecom: private, phone: private, douyin: public}\n"
VALUE = "tier: value\nnote: why\nlevels: {buyer: orders >= 1, looker: otherwise}\n"


def shop_of(engine: Engine, identities: str = IDENTITIES) -> Shop:
    shop = Shop(engine, start="2025-06-01 09:00")
    shop.apply(VALUE, catalogue=f"{WHO}---\n{identities}" if identities else WHO)
    return shop


def path(shop: Shop, key: str) -> Path:
    with shop.app.work(shop.now) as work:
        return path_of(work, key)


def told(shop: Shop, found: Path) -> list[str]:
    return [f"{shop._local(s.at)} {s.domain or '-'} {s.what}" + (f" {s.old} -> {s.new}" if s.new else "") for s in found.steps]


def test_s2_65_an_ad_seen_on_douyin_and_an_order_in_wecom_are_one_path_from_public_to_private(engine: Engine) -> None:
    """The phone, known to both sides, makes them one user; who did what remains known."""
    shop = shop_of(engine)
    shop.user("dy-1", phone="", douyin="d1")
    shop.event("dy-1", "ad_view")
    shop.event("wc-1", "order", at="2025-06-02 10:00", order_id="o1", amount=99)
    shop.set("wc-1", wecom="w1", phone="13911112222")
    shop.set("dy-1", phone="13911112222")
    found = path(shop, "wc-1")
    assert (found.user, found.domains) == ("dy-1", ("public", "private"))
    assert found.first is not None and (found.first.domain, found.first.what) == ("public", "ad_view")
    assert told(shop, found) == [
        "06-01 09:00 public ad_view",
        "06-01 09:00 - value None -> looker",
        "06-02 10:00 private order",
        "06-02 10:00 - value looker -> buyer",
    ]


def test_s2_65_what_comes_when_users_are_one_is_where_its_source_was_before(engine: Engine) -> None:
    shop = shop_of(engine)
    people = [UserRecord("d", shop.at("2025-05-01 09:00"), {"douyin": "d1"}), UserRecord("w", shop.at("2025-05-02 09:00"), {"wecom": "w1"})]
    shop.users(people)

    def heard(number: int, user: str, source: str, local: str) -> EventRecord:
        return EventRecord(f"e{number}", user, "visit", shop.at(local), {}, "user", source)

    shop.load_history(people, [heard(1, "d", "live room", "2025-05-03 10:00"), heard(2, "w", "chat", "2025-05-04 10:00")])
    shop.set("d", phone="13911112222")
    shop.set("w", phone="13911112222")
    for number, source in ((3, "chat"), (4, "live room"), (5, "nowhere before")):
        record_events(shop.app, [heard(number, "w", source, f"2025-06-0{number} 10:00")], shop.at(f"2025-06-0{number} 10:00"))
    shop.jump("2025-06-06 10:00")
    found = [(s.source, s.domain) for s in path(shop, "d").steps if s.source]
    assert found == [
        ("live room", "public"),
        ("chat", "private"),
        ("chat", "private"),
        ("live room", "public"),
        ("nowhere before", "public"),
    ]


def test_s2_65_the_source_of_an_event_says_its_domain_where_an_identity_is_named_after_it(engine: Engine) -> None:
    shop = shop_of(engine)
    people = [UserRecord("u", shop.now, {"wecom": "w1", "douyin": "d1"})]
    heard = [("visit", "douyin", 1), ("visit", "wecom", 2), ("visit", "shop", 3), ("visit", "Douyin", 4)]
    shop.load_history(people, [EventRecord(f"e{n}", "u", kind, shop.at(f"2025-05-0{n} 10:00"), {}, "user", s) for kind, s, n in heard])
    found = path(shop, "u")
    assert [s.domain for s in found.steps if s.source] == ["public", "private", "private", "public"]
    assert found.domains == ("public", "private", "public")


def test_s2_65_without_identities_nothing_is_called_public_or_private(engine: Engine) -> None:
    shop = shop_of(engine, "")
    shop.history(("u", "visit", "2025-05-01 10:00", {"page": "x"}))
    found = path(shop, "u")
    assert (found.domains, found.first and found.first.what) == ((), "visit")


def test_s2_65_a_source_of_two_domains_says_nothing() -> None:
    assert domain_of_source([("web_id", "public"), ("web_phone", "private")], "web") is None
    assert domain_of_source([("web_id", "public")], "w") is None


WAYS = {  # the kinds before the order: how many users
    "Shanghai": {("detail", "compare"): 6, ("guide", "review"): 3, (): 1},
    "Beijing": {("guide", "review"): 11, ("detail", "compare"): 6, ("guide",): 3},
}


def bought(shop: Shop, user: str, steps: Sequence[str]) -> list[EventRecord]:
    kinds = [*steps, "order"]
    return [
        shop.record(user, kind, f"2025-05-{n + 1:02} 10:00", {"order_id": user, "amount": 9} if kind == "order" else {})
        for n, kind in enumerate(kinds)
    ]


def ways(shop: Shop, by: str | None = None, top: int = 5) -> list[Way]:
    with shop.app.work(shop.now) as work:
        return common_ways(work, by, top=top)


def test_s3_12_pros_go_by_details_and_comparison_and_novices_by_guides_and_reviews(engine: Engine) -> None:
    shop = shop_of(engine)
    people, events = [], []
    for city, listed in WAYS.items():
        for steps, users in listed.items():
            for n in range(users):
                key = f"{city}-{'-'.join(steps)}-{n}"
                people.append(UserRecord(key, shop.now, {"city": city}))
                events += bought(shop, key, steps)
    people.append(UserRecord("never", shop.now, {"city": "Paris"}))
    events += [shop.record("never", "guide", "2025-05-01 10:00", {})]
    shop.load_history(people, events)
    found = ways(shop, "city", 1)
    assert [(w.segment, w.steps, w.users / w.of) for w in found] == [
        ("Beijing", ("guide", "review"), 0.55),
        ("Shanghai", ("detail", "compare"), 0.60),
    ]
    assert [(w.steps, w.users, w.of) for w in ways(shop)] == [
        (("guide", "review"), 14, 30), (("detail", "compare"), 12, 30), (("guide",), 3, 30), ((), 1, 30),
    ]  # fmt: skip
    assert {w.segment for w in ways(shop, "value")} == {"buyer"}


def test_s3_12_repeats_are_one_step_five_steps_are_looked_at_and_what_others_did_or_came_later_is_none(engine: Engine) -> None:
    shop = shop_of(engine)
    steps = ["visit", "cart", "detail", "detail", "compare", "guide", "review", "review", "detail"]
    events = bought(shop, "u", steps)
    events += [
        shop.record("u", "compare", "2025-05-09 12:00", {"actor": "staff"}),
        shop.record("u", "order", "2025-05-20 10:00", {"order_id": "second", "amount": 9}),
        shop.record("u", "visit", "2025-05-21 10:00", {"page": "later"}),
        shop.record("u", "order", "2025-05-02 09:00", {"order_id": "trial", "amount": 0}),  # too small to be one
    ]
    shop.load_history([UserRecord("u", shop.now, {})], events)
    assert [w.steps for w in ways(shop)] == [("detail", "compare", "guide", "review", "detail")]
