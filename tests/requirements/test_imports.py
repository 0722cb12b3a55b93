"""The rows about bringing in what is known: a hand-kept list, attributes with their bounds, and several sources told twice."""

from pathlib import Path

import pytest

from tests.cli.conftest import Shop

PROJECT = """\
project: 小店
timezone: Asia/Shanghai
purchase: order.amount
activity: [order, visit]
content_types: [问候]
---
attributes:
  粉丝数: number
  学校: text
  设备: [iOS, Android]
  城市: text
  性别: [女, 男]
  生日: date
  手机号: phone
---
events:
  visit: {}
  order: {order_id: text, amount: number}
---
metrics:
  累计订单数: {count: order}
  年龄: {years_since: 生日}
---
tier: 买过
note: 买没买过
only: 累计订单数 > 0
levels: {买过: 累计订单数 > 0}
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imports") / "shop"
    (folder / "playbooks").mkdir(parents=True)
    (folder / "templates").mkdir()
    (folder / "playbooks" / "a.yml").write_text(PROJECT, "utf-8")
    Shop(folder).ok("apply", "--yes", "--no-test", at="2025-06-01T04:00:00Z")
    return folder


@pytest.fixture
def shop(applied: Path, tmp_path: Path) -> Shop:
    import shutil

    shutil.copytree(applied, tmp_path / "shop")
    return Shop(tmp_path / "shop")


def test_s0_13_a_hand_kept_list_of_forty_is_forty_users_however_often_it_comes(shop: Shop) -> None:
    shop.write("m.yml", "user_id: handle\nattributes: {粉丝数: followers}\n")
    file = shop.write("core.csv", "handle,followers,interactions_30d\n" + "".join(f"ig{n},{n * 10},5\n" for n in range(40)))
    said = shop.sop("import", file, "--as", "users", "--map", shop.folder / "m.yml")
    assert (said.code, "interactions_30d" in said.err) == (0, True)
    assert shop.ok("count", "粉丝数 is known").split()[0] == "40"
    shop.ok("import", file, "--as", "users", "--map", shop.folder / "m.yml")
    assert shop.ok("count", "粉丝数 is known").split()[0] == "40"
    unscored = shop.json("tiers", "买过")[0]["levels"][-1]
    assert (unscored["level"], unscored["users"]) == (None, 40)


def test_s1_28_a_birthday_130_years_ago_is_refused_with_its_line_and_an_age_is_counted_from_the_birthday(shop: Shop) -> None:
    file = shop.write("users.csv", "user_id,城市,性别,生日\na,上海,女,1995-06-11\nb,上海,女,1895-01-01\nc,上海,其他,1990-01-01\n")
    assert "rejected 2" in shop.ok("import", file, "--as", "users")
    bad = (shop.folder / "users.csv.errors.csv").read_text("utf-8-sig").splitlines()[1:]
    assert [row.split(",")[0] for row in bad] == ["3", "4"] and "生日" in bad[0] and "性别" in bad[1]
    assert shop.json("user", "a")["metrics"]["年龄"] == 29


def test_s1_65_every_source_is_one_timeline_and_the_same_file_again_changes_nothing(shop: Shop) -> None:
    store = shop.write("store.csv", "event,user_id,at,message_id,order_id,amount\norder,u1,2025-06-01 10:00,s1,a,100\n")
    mini = shop.write("mini.csv", "event,user_id,at,message_id,order_id,amount\norder,u1,2025-06-02 10:00,m1,b,60\n")
    for file in (store, mini, store):
        said = shop.ok("import", file, "--as", "events")
    assert "stored 0 · stored before 1" in said
    assert shop.json("user", "u1")["metrics"]["累计订单数"] == 2


def test_s2_52_s3_02_base_facts_are_set_by_an_import_and_can_be_asked_for(shop: Shop) -> None:
    file = shop.write("users.csv", "user_id,设备,学校,城市\na,iOS,一中,杭州\nb,Android,二中,\n")
    shop.ok("import", file, "--as", "users")
    assert shop.json("user", "a")["attributes"]["设备"] == "iOS"
    assert shop.ok("count", "设备 = iOS and 学校 = 一中").split()[0] == "1"
