"""What leaves its bounds is found, with figures, and what an ordinary day brings is not."""

from decimal import Decimal

import pytest

from sop_engine.core.anomaly import Failures, ceiling, drain, failing, over_ceiling, surge

UNKNOWN = "had an unknown outcome"


def keys(found: object) -> list[str]:
    return [f.key for f in found]


@pytest.mark.parametrize(("forecast", "most"), [(0, 50), (1, 51), (100, 200), (1001, 1551)])
def test_the_ceiling_is_half_more_than_the_forecast_and_fifty(forecast: int, most: int) -> None:
    assert ceiling(forecast) == most
    assert over_ceiling("g/a", "hi", most, forecast, "usual") is None
    found = over_ceiling("g/a", "hi", most + 1, forecast, "usual")
    assert found is not None
    assert (found.scope, found.key) == ("playbook:g", "volume:g/a:hi")
    assert f"{most + 1:,} times" in found.why
    assert f"at most {most:,}" in found.why


def test_an_hour_is_compared_once_seven_such_hours_are_known() -> None:
    assert surge("g", 301, [100] * 6) is None
    assert surge("g", 301, [100] * 6 + [0] * 8) is None  # hours without a send tell nothing
    assert surge("g", 300, [100] * 7) is None
    found = surge("g", 301, [100] * 7)
    assert found is not None
    assert found.scope == "playbook:g"


def test_a_small_hour_is_never_a_surge() -> None:
    assert surge("g", 50, [1] * 14) is None
    assert surge("g", 51, [1] * 14) is not None


@pytest.mark.parametrize(("sends", "failed", "found"), [(19, 19, 0), (20, 1, 0), (20, 2, 1), (200, 2, 0), (199, 2, 1), (1000, 11, 1)])
def test_more_than_one_in_a_hundred_and_more_than_one_of_at_least_twenty_is_too_many(sends: int, failed: int, found: int) -> None:
    assert len(failing(UNKNOWN, [Failures("g", "sms", sends, failed)])) == found


def test_a_channel_that_fails_several_playbooks_is_stopped_and_not_they() -> None:
    counted = [Failures("a", "sms", 100, 5), Failures("b", "sms", 100, 5), Failures("c", "mail", 100, 5), Failures("d", "mail", 100, 0)]
    assert keys(failing(UNKNOWN, counted)) == [f"{UNKNOWN}:channel:sms", f"{UNKNOWN}:playbook:c"]


def test_a_playbook_is_judged_over_all_its_channels() -> None:
    counted = [Failures("a", "sms", 15, 1), Failures("a", "mail", 15, 1)]
    assert keys(failing(UNKNOWN, counted)) == [f"{UNKNOWN}:playbook:a"]


def test_a_stock_that_drains_stops_whoever_gave_most_of_it() -> None:
    assert drain("the stock 'p'", Decimal(100), Decimal(20), {"a": 20}) is None
    assert drain("the stock 'p'", Decimal(1000), Decimal(200), {"a": 200}) is None
    found = drain("the stock 'p'", Decimal(1000), Decimal(201), {"a": 100, "b": 101})
    assert found is not None
    assert (found.scope, found.key) == ("playbook:b", "drain:the stock 'p'")
    assert "20%" in found.why
