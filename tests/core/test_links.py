"""Holds which addresses of a text are tracked, how marks for web statistics are added, and which visits look like a machine's."""

from datetime import UTC, datetime, timedelta

import pytest

from sop_engine.core.links import Linker, LinkRules, Utm, Visit, all_at_once, is_on, links_in, suspicion, utm_of, with_utm

NOW = datetime(2025, 3, 1, tzinfo=UTC)
PERSON = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) MicroMessenger/8.0"}
UTM = utm_of("aliyun_sms", "沉默唤醒", "发券", "a")
MARKS = "utm_source=sms&utm_medium=crm&utm_campaign=%E6%B2%89%E9%BB%98%E5%94%A4%E9%86%92&utm_content=%E5%8F%91%E5%88%B8.a"


@pytest.mark.parametrize(
    ("url", "marked"),
    [
        ("https://shop.example.com/p/1?a=1&b=%E4%B8%AD#top", f"https://shop.example.com/p/1?a=1&b=%E4%B8%AD&{MARKS}#top"),
        ("https://shop.example.com", f"https://shop.example.com?{MARKS}"),
        ("https://shop.example.com/?#a?b", f"https://shop.example.com/?{MARKS}#a?b"),
        ("https://shop.example.com/?UTM_SOURCE=x", "https://shop.example.com/?UTM_SOURCE=x&" + MARKS.partition("&")[2]),
        ("https://shop.example.com/?utm%5Fsource=x", "https://shop.example.com/?utm%5Fsource=x&" + MARKS.partition("&")[2]),
        (f"https://shop.example.com/?{MARKS}", f"https://shop.example.com/?{MARKS}"),
    ],
)
def test_marks_come_before_the_fragment_and_whatever_is_there_stays_as_it_is(url: str, marked: str) -> None:
    assert with_utm(url, UTM) == marked


@pytest.mark.parametrize(
    ("via", "source"),
    [("aliyun_sms", "sms"), ("tencent_sms", "sms"), ("wecom_customer", "wecom"), ("email", "email"), ("oa_template", "oa_template")],
)
def test_the_source_is_the_kind_of_the_channel_and_the_content_the_step_with_its_variant(via: str, source: str) -> None:
    assert utm_of(via, "p", "s", "") == Utm(source, "p", "s")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("看 https://a.example/x?b=1。", ["https://a.example/x?b=1"]),
        ("点https://a.example/y领取", ["https://a.example/y"]),
        ("（https://a.example/z）, see <https://b.example>.", ["https://a.example/z", "https://b.example"]),
        ("https://a.example/(b) (https://a.example/c)", ["https://a.example/(b)", "https://a.example/c"]),
        ("HTTP://A.example/ and https://a.example/a.html!", ["HTTP://A.example/", "https://a.example/a.html"]),
        ("javascript:alert(1) ftp://a.example mailto:a@b.example https:/x", []),
    ],
)
def test_addresses_end_where_the_sentence_goes_on(text: str, found: list[str]) -> None:
    assert links_in(text) == found


@pytest.mark.parametrize(
    ("url", "on"),
    [
        ("https://shop.example/x", True),
        ("https://SHOP.example:8443", True),
        ("https://a.b.example/", True),
        ("https://b.example/", False),
        ("https://shop.example.evil.test/", False),
        ("https://shop.example@evil.test/", False),
        ("https://evil.test/shop.example", False),
        ("https://[bad", False),
    ],
)
def test_a_host_is_the_whole_host(url: str, on: bool) -> None:
    assert is_on(url, ("shop.example", "*.b.example")) is on


def linker(rules: LinkRules, *, tracked: bool = True) -> Linker:
    """Addresses that are easy to read."""
    return Linker(rules, UTM, (lambda n: f"https://go.example/c/{n}") if tracked else None)


def test_named_links_are_numbered_first_and_an_address_written_twice_is_one_link() -> None:
    one = linker(LinkRules(tracked=True))
    assert one.named([("a", "https://x.example/a"), ("b", "https://x.example/b")]) == {
        "a": "https://go.example/c/0",
        "b": "https://go.example/c/1",
    }
    source = "{{ link.b }} https://y.example/1 https://y.example/1"
    written = one.text("https://go.example/c/1 https://y.example/1 https://y.example/1", source)
    assert written == "https://go.example/c/1 https://go.example/c/2 https://go.example/c/2"
    assert one.used_in(written) == {1: ("b", "https://x.example/b"), 2: ("2", "https://y.example/1")}


def test_an_address_that_a_value_brought_is_never_tracked_unless_its_host_is_named() -> None:
    text, source = "https://evil.example/x", "{{ note }}"
    assert linker(LinkRules(tracked=True)).text(text, source) == text
    assert linker(LinkRules(tracked=True, hosts=("shop.example",))).text(text, text) == text
    assert linker(LinkRules(tracked=True, hosts=("evil.example",))).text(text, source) == "https://go.example/c/0"


def test_where_links_cannot_be_personal_they_are_marked_and_no_more() -> None:
    one = linker(LinkRules(tracked=True, utm_hosts=("x.example",)), tracked=False)
    assert one.named([("a", "https://x.example/a")]) == {"a": f"https://x.example/a?{MARKS}"}
    assert one.text("https://x.example/a 和https://z.example/b", "") == f"https://x.example/a?{MARKS} 和https://z.example/b"
    assert one.used_in("https://x.example/a") == {}


@pytest.mark.parametrize(
    ("visit", "after_s", "why"),
    [
        (Visit("GET", PERSON), 10, ""),
        (Visit("HEAD", PERSON), 3600, "head"),
        (Visit("GET", {**PERSON, "purpose": "prefetch"}), 3600, "prefetch"),
        (Visit("GET", {**PERSON, "sec-purpose": "prefetch;prerender"}), 3600, "prefetch"),
        (Visit("GET", {"user-agent": "BarracudaCentral scan"}), 3600, "scanner"),
        (Visit("GET", {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}), 3600, "scanner"),
        (Visit("GET", {}), 3600, "scanner"),
        (Visit("GET", PERSON), 9.9, "too_soon"),
        (Visit("GET", PERSON), None, "too_soon"),
    ],
)
def test_a_machine_is_known_by_how_and_when_it_asks(visit: Visit, after_s: float | None, why: str) -> None:
    accepted = None if after_s is None else NOW - timedelta(seconds=after_s)
    assert suspicion(visit, accepted, NOW) == why


@pytest.mark.parametrize(("seconds", "links", "at_once"), [([0], 1, False), ([0, 5], 2, True), ([0, 5.1], 2, False), ([0, 1], 3, False)])
def test_every_link_of_a_message_within_five_seconds_is_a_machine(seconds: list[float], links: int, at_once: bool) -> None:
    assert all_at_once([NOW + timedelta(seconds=s) for s in seconds], links) is at_once
