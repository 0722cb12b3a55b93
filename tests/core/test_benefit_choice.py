"""Benefits: who gets one, why not, what stands in; and codes as they are written and read."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sop_engine.core.benefits import ALPHABET, BenefitState, Decline, Give, choose, code_from_bytes, next_choice, read_code, shown
from sop_engine.core.catalog import Benefit
from sop_engine.core.errors import BadInput
from sop_engine.core.forms import Length, Limit, Valid

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2025, 6, 30, 2, 0, tzinfo=UTC)


def benefit(**changes: object) -> Benefit:
    values: dict[str, object] = {
        "name": "加码券50",
        "pool": "DY50",
        "valid": Valid("length", length=Length(days=3)),
        "limit": Limit(Decimal(1), Length(days=30)),
        "budget": Limit(Decimal(60_000), Length(days=30)),
        "cost": Decimal(50),
        "if_empty": "限时券20",
    }
    return Benefit(**(values | changes))


def chosen(state: BenefitState, **changes: object) -> Give | Decline:
    return choose(benefit(**changes), state, now=NOW, zone=SHANGHAI)


def test_a_benefit_is_given_until_the_end_of_its_last_day() -> None:
    assert chosen(BenefitState()) == Give("加码券50", code_needed=True, expires_at=datetime(2025, 7, 3, 16, 0, tzinfo=UTC))


def test_a_benefit_does_not_outlive_its_pool() -> None:
    ends_at = datetime(2025, 7, 1, tzinfo=UTC)
    assert chosen(BenefitState(pool_ends_at=ends_at)) == Give("加码券50", code_needed=True, expires_at=ends_at)
    assert chosen(BenefitState(pool_ends_at=NOW)) == Decline("empty")


def test_a_pool_without_codes_needs_none() -> None:
    given_ = chosen(BenefitState(codes=False))
    assert isinstance(given_, Give)
    assert not given_.code_needed


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (BenefitState(given=1), "limit"),
        (BenefitState(spent=Decimal("59950.01")), "budget"),
        (BenefitState(flow_budget_left=Decimal("49.99")), "budget"),
        (BenefitState(pool_left=0), "empty"),
        (BenefitState(given=1, spent=Decimal(60_000), pool_left=0, user_holds_unused=True), "limit"),  # the first reason counts
    ],
)
def test_a_benefit_is_declined_with_the_first_reason(state: BenefitState, reason: str) -> None:
    assert chosen(state) == Decline(reason)


@pytest.mark.parametrize(
    "state",
    [
        BenefitState(spent=Decimal(59_950)),
        BenefitState(flow_budget_left=Decimal(50)),
        BenefitState(pool_left=1),
        BenefitState(user_holds_unused=True),
    ],
)
def test_the_last_one_that_fits_is_given(state: BenefitState) -> None:
    assert isinstance(chosen(state), Give)


def test_a_benefit_that_does_not_stack_waits_until_the_other_is_used() -> None:
    assert chosen(BenefitState(user_holds_unused=True), stack=False) == Decline("stack")
    assert isinstance(chosen(BenefitState(), stack=False), Give)


@pytest.mark.parametrize(("reason", "stands_in"), [("budget", True), ("empty", True), ("limit", False), ("stack", False)])
def test_another_benefit_stands_in_only_for_what_is_used_up(reason: str, stands_in: bool) -> None:
    other = benefit(name="限时券20", if_empty=None)
    assert next_choice(benefit(), Decline(reason), {other.name: other}) == (other if stands_in else None)
    assert next_choice(other, Decline(reason), {other.name: other}) is None


VECTORS = [
    (bytes(10), "00000000000000000"),
    (bytes(range(10)), "000G40R40M30E209B"),
    (b"\xff" * 10, "ZZZZZZZZZZZZZZZZG"),
]


@pytest.mark.parametrize(("raw", "code"), VECTORS)
def test_a_code_is_the_published_one(raw: bytes, code: str) -> None:
    assert code_from_bytes(raw) == code
    assert read_code(code) == code


@pytest.mark.parametrize(
    "typed", ["000g-40r4-0m30-e209-b", " OOOG 4OR4 OM3O E2O9 B ", "０００Ｇ４０Ｒ４０Ｍ３０Ｅ２０９Ｂ", "000G–40R4–0M30–E209–B"]
)
def test_a_code_is_read_however_people_type_it(typed: str) -> None:
    assert read_code(typed) == "000G40R40M30E209B"


@pytest.mark.parametrize("typed", ["", "000G40R40M30E209", "000G40R40M30E209BB", "000G40R40M30E209U", "你好", "000G40R40M30E209A"])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert read_code(typed) is None


def test_a_code_is_shown_in_groups_of_four() -> None:
    assert shown("000G40R40M30E209B") == "000G-40R4-0M30-E209-B"


@given(st.binary(min_size=10, max_size=10), st.integers(0, 16), st.sampled_from(ALPHABET))
@settings(deadline=None, database=None, max_examples=300)
def test_every_code_reads_back_and_every_single_wrong_character_is_caught(raw: bytes, place: int, sign: str) -> None:
    code = code_from_bytes(raw)
    assert read_code(shown(code)) == code
    wrong = code[:place] + sign + code[place + 1 :]
    assert read_code(wrong) == (code if wrong == code else None)


def test_a_code_needs_ten_bytes() -> None:
    with pytest.raises(BadInput, match="10 bytes, not 9"):
        code_from_bytes(bytes(9))
