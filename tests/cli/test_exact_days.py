"""The shipped library through the doors, on a frozen clock: day 3 and day 45 exactly, and not after an order or a visit just before."""

import shutil
from pathlib import Path

import pytest
import sklearn.cluster  # its C parts cannot be loaded while the clock is frozen
import sklearn.linear_model  # noqa: F401  # as above

from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def applied_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "shop"
    for part in ("playbooks", "templates"):
        shutil.copytree(ROOT / part, folder / part)
    Shop(folder).ok("apply", "--yes", "--no-test", "--approved-by", "负责人", at="2025-02-20T04:00:00Z")
    return folder


@pytest.fixture
def library(applied_library: Path, tmp_path: Path) -> Shop:
    shutil.copytree(applied_library, tmp_path / "shop")
    return Shop(tmp_path / "shop")


def local(day: str, time: str) -> str:
    """A time in Shanghai."""
    return f"{day}T{time}:00+08:00"


def newcomer(shop: Shop) -> None:
    """Registers on 1 March at 15:20 and can be reached by SMS."""
    at = local("2025-03-01", "15:20")
    shop.ok("track", "小王", "register", at=at)
    shop.ok("set", "小王", "手机号", "13800000000", at=at)
    shop.ok("set", "小王", "短信许可", "true", at=at)


def sent(shop: Shop, flow: str, at: str) -> list[str]:
    """Steps of the flow that were sent by then, after a beat."""
    shop.ok("tick", at=at)
    return [t["step"] for t in shop.json("touches", "--flow", flow, "--state", "sent", at=at)["touches"]]


def test_c_06_the_first_order_coupon_goes_out_on_day_3_at_10_and_not_a_minute_before(library: Shop) -> None:
    newcomer(library)
    assert sent(library, "新客首单培育", local("2025-03-04", "09:59")) == []
    assert sent(library, "新客首单培育", local("2025-03-04", "10:00")) == ["首单券"]


def test_c_06_an_order_a_minute_before_day_3_at_10_keeps_the_coupon_back(library: Shop) -> None:
    newcomer(library)
    sent(library, "新客首单培育", local("2025-03-04", "09:58"))
    library.ok("track", "小王", "order", "-f", "order_id=a1", "-f", "amount=88", at=local("2025-03-04", "09:59"))
    assert sent(library, "新客首单培育", local("2025-03-04", "10:00")) == []
    assert "goal" in library.ok("why", "小王", "新客首单培育", at=local("2025-03-04", "10:01"))


def lapsing(shop: Shop) -> None:
    """Bought on 1 February, was last there on 1 March."""
    shop.ok("track", "老陈", "order", "-f", "order_id=b1", "-f", "amount=300", at=local("2025-02-21", "12:00"))
    shop.ok("set", "老陈", "手机号", "13700000000", at=local("2025-02-21", "12:00"))
    shop.ok("set", "老陈", "短信许可", "true", at=local("2025-02-21", "12:00"))
    shop.ok("track", "老陈", "visit", at=local("2025-03-01", "20:00"))


def held_out(shop: Shop) -> bool:
    runs = shop.json("why", "老陈", "沉默45天唤醒", at=local("2025-04-14", "12:00"))["runs"]
    return bool(runs[0]["held_out"])


def test_c_07_the_win_back_goes_out_on_day_45_of_silence_and_not_the_day_before(library: Shop) -> None:
    lapsing(library)
    assert sent(library, "沉默45天唤醒", local("2025-04-14", "23:59")) == []
    assert not held_out(library)
    assert sent(library, "沉默45天唤醒", local("2025-04-15", "09:59")) == []
    assert sent(library, "沉默45天唤醒", local("2025-04-15", "10:00")) == ["第45天唤醒"]


def test_c_07_a_visit_on_the_evening_before_day_45_starts_the_silence_anew(library: Shop) -> None:
    lapsing(library)
    sent(library, "沉默45天唤醒", local("2025-04-14", "22:00"))
    library.ok("track", "老陈", "visit", at=local("2025-04-14", "23:00"))
    assert sent(library, "沉默45天唤醒", local("2025-04-15", "10:00")) == []
    assert sent(library, "沉默45天唤醒", local("2025-05-28", "23:00")) == []
    assert sent(library, "沉默45天唤醒", local("2025-05-29", "10:00")) == ["第45天唤醒"]
