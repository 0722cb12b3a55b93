"""`sop init --profile`: three kinds of shop that check without a message, whose stories hold, and that play a day."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sop_engine.actions.documenting import pages_of
from sop_engine.actions.rehearse import play
from sop_engine.cli.main import app
from sop_engine.cli.starting import PROFILES
from sop_engine.core.conditions import Ref
from sop_engine.core.project import Project
from sop_engine.core.story import Story
from sop_engine.language.dimensions import dimensions_of, dimensions_read
from sop_engine.language.folder import read_folder
from sop_engine.language.load import Checked, check
from tests.cli.conftest import Shop
from tests.test_house import ROOT

pytestmark = pytest.mark.slow

FOLDER = ROOT / "sop_engine" / "cli" / "profiles"
NEWCOMERS = {
    "startup": ({"昵称": "小雨"}, "短信", "欢迎_短信", "谢谢你来我们的小店"),
    "group_buy": ({"昵称": "王阿姨", "团长": "李姐", "小区": "桂花苑"}, "团长任务", "欢迎_团长", "桂花苑来了王阿姨"),
    "mature": ({"昵称": "小田"}, "短信", "欢迎_短信", "谢谢你来认识我们"),
}


@cache
def checked(profile: str) -> Checked:
    return check(read_folder(FOLDER / profile))


def project(profile: str) -> Project:
    found = checked(profile).project
    assert found is not None, checked(profile).problems
    return found


STORIES = [pytest.param(profile, story, id=f"{profile} {story.title}") for profile in PROFILES for story in project(profile).stories]


def test_every_profile_that_can_be_named_is_there_and_no_other() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(PROFILES)
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert "cli/profiles/**/*" in package["sop_engine"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_checks_without_a_message(profile: str) -> None:
    assert [str(problem) for problem in checked(profile).problems] == []


@pytest.mark.parametrize(("profile", "story"), STORIES)
def test_the_stories_of_a_profile_hold(profile: str, story: Story) -> None:
    assert list(play(project(profile), story).failures) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_every_playbook_of_a_profile_has_a_story(profile: str) -> None:
    told = {name for story in project(profile).stories for name in story.playbooks}
    assert set(project(profile).playbooks) == told


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_read_in_five_minutes(profile: str) -> None:
    documents = [d for f in sorted((FOLDER / profile / "playbooks").iterdir()) for d in f.read_text("utf-8").split("\n---\n")]
    assert sum(len(d.splitlines()) for d in documents if not d.startswith("test:")) <= 150
    assert max(len(t.body) for by_locale in project(profile).templates.values() for t in by_locale.values()) <= 220


@pytest.mark.parametrize("profile", PROFILES)
def test_no_text_of_a_profile_names_a_level_to_its_reader(profile: str) -> None:
    found = project(profile)
    levels = {level for tier in found.tiers.values() for level in tier.level_names}
    texts = [t for by_locale in found.templates.values() for t in by_locale.values() if t.purpose != "internal"]
    assert [(t.name, level) for t in texts for level in levels if level in t.body] == []


@pytest.mark.parametrize(
    ("profile", "dimensions"),
    [
        ("startup", ["years_since of 生日", "城市", "count of order", "count of chat_message"]),
        ("group_buy", ["小区", "家庭人数", "sum of order.amount"]),
    ],
)
def test_a_small_shop_looks_at_few_dimensions_and_its_tiers_read_no_other(profile: str, dimensions: list[str]) -> None:
    found = project(profile)
    allowed = dict(found.settings.profiles)[found.settings.profile]
    assert dimensions_read([Ref("fact", name, "") for name in allowed], found) == dimensions
    assert {one for tier in found.tiers.values() for one in dimensions_of(tier, found)} <= set(dimensions)


def test_the_startup_stops_whoever_reads_a_fifth_dimension() -> None:
    files = dict(read_folder(FOLDER / "startup"))
    files["playbooks/01-tiers.yml"] = files["playbooks/01-tiers.yml"].replace("老客期: 近60天订单数 >= 1", "老客期: 职业 = 教师")
    files["playbooks/00-project.yml"] = files["playbooks/00-project.yml"].replace("  城市: text", "  城市: text\n  职业: text")
    assert any("'职业', which is not in the profile 'startup'" in str(problem) for problem in check(files).problems)


def test_the_mature_brand_measures_its_win_back() -> None:
    flow = project("mature").flows["久别重逢"]
    assert (flow.intent, f"{flow.holdout:.0%}", len(flow.variants)) == ("win_back", "10%", 2)
    assert flow.experiment is not None and flow.experiment.planned_per_arm
    assert project("mature").tiers["RFM五档"].level_names == ("高价值", "潜力", "活跃", "沉默", "低价值")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_pages_of_a_profile_can_be_written(profile: str) -> None:
    pages = pages_of(project(profile), locale="zh-CN")
    assert [path for path, text in pages.items() if "写不出" in text] == []


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_plays_a_day_a_newcomer_is_welcomed_once(profile: str, tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["init", str(tmp_path / "shop"), "--profile", profile]).exit_code == 0
    shop = Shop(tmp_path / "shop")
    shop.ok("apply", "--yes", "--no-test")
    known, channel, template, text = NEWCOMERS[profile]
    shop.ok("track", "u1", "visit")
    for name, value in {"手机号": "13800000001", "短信许可": "true", **known}.items():
        shop.ok("set", "u1", name, value)
    shop.ok("tick")
    shop.ok("tick", at="2025-06-11T04:00:00Z")
    touches = shop.json("touches", at="2025-06-11T04:00:00Z")["touches"]
    assert [(one["channel"], one["template"]) for one in touches if one["state"] == "sent"] == [(channel, template)]
    assert text in shop.ok("outbox", at="2025-06-11T04:00:00Z")


def test_a_profile_that_there_is_not_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["init", str(tmp_path / "shop"), "--profile", "groupbuy"])
    assert (said.exit_code, said.stdout) == (1, "")
    assert "there is no profile 'groupbuy'. Did you mean 'group_buy'?" in said.stderr
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_readme_of_a_profile_names_files_and_playbooks_that_are_there(profile: str) -> None:
    page = (FOLDER / profile / "README.md").read_text("utf-8")
    files = re.findall(r"`(playbooks/[^`]+)`", page)
    assert sorted(files) == sorted(f"playbooks/{path.name}" for path in (FOLDER / profile / "playbooks").iterdir())
    named = re.findall(r"^sop (?:say|compare) (\S+)", page, re.MULTILINE)
    assert named and [name for name in named if name not in project(profile).playbooks] == []
