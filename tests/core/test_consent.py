"""The ledger of consent folds into one state: silence is none, the narrower word wins, a refusal beats every older permission."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sop_engine.core.consent import Key, Said, Standing, agreed, key_of, refused, refuses_all, standing, strictest

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
CHANNELS, TOPICS = ("*", "sms", "mail"), ("*", "marketing", "offers", "news")


def said(*lines: str) -> Standing:
    """What stands of lines such as `withdrawn sms/offers`, one a day."""
    return standing(Said(key_of(word), state, BEGIN + timedelta(days=day), day) for day, (state, word) in enumerate(map(str.split, lines)))


@pytest.mark.parametrize(
    ("lines", "may", "has_agreed"),
    [
        ((), True, False),  # silence: not refused, not agreed
        (("pending sms",), True, False),
        (("granted sms",), True, True),
        (("granted *",), True, True),
        (("granted mail",), True, False),
        (("granted sms/news",), True, False),  # a new purpose needs a new grant
        (("granted sms/offers",), True, True),
        (("withdrawn *",), False, False),
        (("withdrawn *", "granted sms"), True, True),
        (("granted sms", "withdrawn *"), False, False),  # a withdrawal beats any older grant
        (("granted sms", "withdrawn sms/marketing"), False, False),
        (("withdrawn sms/offers", "granted *"), False, False),  # the narrower row wins
        (("withdrawn sms/offers", "granted sms/offers"), True, True),
        (("withdrawn sms", "pending sms"), False, False),
        (("withdrawn sms", "granted sms", "withdrawn sms"), False, False),
        (("withdrawn sms/news",), True, False),
    ],
)
def test_of_all_that_was_said_about_offers_by_sms_one_answer_follows(lines: tuple[str, ...], may: bool, has_agreed: bool) -> None:
    now = said(*lines)
    assert (not refused(now, "sms", "marketing", "offers"), agreed(now, "sms", "offers")) == (may, has_agreed)


def test_a_service_message_minds_only_the_refusal_of_its_whole_channel() -> None:
    assert [refused(said(f"withdrawn {w}"), "sms", "service") for w in ("*", "sms/marketing", "*/offers", "sms")] == [False] * 3 + [True]
    assert not refused(said("withdrawn sms"), "sms", "internal")


def test_all_marketing_is_refused_by_two_words_and_no_other() -> None:
    assert [refuses_all({w}) for w in ("*", "*/marketing", "sms", "*/offers")] == [True, True, False, False]


KEYS = st.builds(Key, st.sampled_from(CHANNELS), st.sampled_from(TOPICS))
LINES = st.lists(st.tuples(KEYS, st.sampled_from(["pending", "granted", "withdrawn"]), st.integers(0, 5)), max_size=8)


def lines_of(drawn: list[tuple[Key, str, int]]) -> list[Said]:
    return [Said(key, state, BEGIN + timedelta(days=day), number) for number, (key, state, day) in enumerate(drawn)]


def by_definition(lines: list[Said], message: Key) -> bool:
    """Refused, as the definition reads: some refusal covers the message, and no later permission within it that stands does."""

    def later(one: Said, other: Said) -> bool:
        return (one.at, one.id) > (other.at, other.id)

    words = [s for s in lines if s.state != "pending"]
    last = [s for s in words if not any(o.key == s.key and later(o, s) for o in words)]
    no = [s for s in last if s.state == "withdrawn"]
    yes = [s for s in last if s.state == "granted" and not any(n.key.covers(s.key) and later(n, s) for n in no)]
    return any(n.key.covers(message) and not any(n.key.covers(y.key) and y.key.covers(message) for y in yes) for n in no)


@given(LINES, st.randoms())
def test_replaying_the_ledger_in_any_order_gives_the_state_of_the_definition(drawn: list[tuple[Key, str, int]], random: object) -> None:
    lines = lines_of(drawn)
    shuffled = list(lines)
    random.shuffle(shuffled)
    assert standing(shuffled) == standing(lines)
    for channel in CHANNELS[1:]:
        for topic in TOPICS[2:]:
            assert refused(standing(shuffled), channel, "marketing", topic) == by_definition(lines, Key(channel, topic))


@given(LINES, LINES)
def test_of_two_people_who_are_one_whatever_either_refused_is_refused(
    one: list[tuple[Key, str, int]], other: list[tuple[Key, str, int]]
) -> None:
    first, second = lines_of(one), lines_of(other)
    insisted = strictest(standing(first), standing(second))
    later = BEGIN + timedelta(days=99)
    merged = standing([*first, *second, *(Said(key_of(w), "withdrawn", later, 1000 + n) for n, w in enumerate(sorted(insisted)))])
    for channel in CHANNELS[1:]:
        for topic in TOPICS[2:]:
            either = any(refused(standing(lines), channel, "marketing", topic) for lines in (first, second))
            assert refused(merged, channel, "marketing", topic) or not either
