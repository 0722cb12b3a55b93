"""The page of golden users says what the engine finds, and the levels on it are the known ones."""

import pytest

from tests.golden.page import PAGE, levels, page
from tests.golden.population import golden_users

PLAIN = ("三层", "生命周期", "AARRR", "AIPL", "内容互动", "社媒互动", "社区金字塔")  # models without numbers fitted to everybody

pytestmark = pytest.mark.slow


def test_the_page_of_golden_users_is_what_the_engine_finds_today() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python -m tests.golden"


def test_the_levels_on_the_page_are_those_known_of_the_golden_users() -> None:
    found = {user: {tier: levels()[tier][user] for tier in PLAIN if tier in told["levels"]} for user, told in golden_users().expect.items()}
    known = {user: {t: str(told["levels"][t] or "unscored") for t in found[user]} for user, told in golden_users().expect.items()}
    assert found == known
    assert sum(map(len, known.values())) >= 18 * 4
