"""`sop import` stores what it can read, says what it cannot and why, fires nothing, and changes nothing the second time."""

import csv
import gzip
import shutil
from pathlib import Path

import pytest
import sklearn.linear_model  # noqa: F401 - it does not load while the clock is frozen

from sop_engine.actions.importing import UNFINISHED, Source, import_rows
from sop_engine.cli.opening import open_database
from sop_engine.core.records import EventRecord
from sop_engine.store import consent, people, versions
from tests.builders import at
from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow

USERS = "user_id,joined,昵称,手机号,短信许可\nu1,2024-05-01,小王,13800000001,是\nu2,2024-06-01 08:00,老陈,13800000002,否\n"
ORDERS = "event,user_id,at,order_id,amount\norder,u1,2025-06-01 10:00,a1,120\norder,u2,2025-04-01 10:00,a2,80.5\nvisit,u3,2025-06-09,,\n"


def errors(shop: Shop, name: str) -> list[list[str]]:
    """The rows of the list of bad rows, without its head."""
    with (shop.folder / f"{name}.errors.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))[1:]


def test_users_and_events_become_levels_and_start_nothing(shop: Shop) -> None:
    shop.ok("import", shop.write("users.csv", USERS), "--as", "users")
    out = shop.ok("import", shop.write("orders.csv", ORDERS), "--as", "events")
    assert out.splitlines()[0] == "read 3 · stored 3 · stored before 0 · rejected 0"
    assert "  生命周期 = 活跃期: 1 user moved here" in out
    assert "  生命周期 = 流失期: 1 user moved here" in out
    assert [level["users"] for level in shop.json("tiers", "生命周期")[0]["levels"]] == [1, 1, 1, 0]
    assert shop.json("touches")["touches"] == []
    assert "nothing was due" in shop.ok("tick")


def test_the_same_file_again_changes_nothing(shop: Shop) -> None:
    users, orders = shop.write("users.csv", USERS), shop.write("orders.csv", ORDERS)
    for file, kind in ((users, "users"), (orders, "events")):
        shop.ok("import", file, "--as", kind)
    before = shop.ok("user", "u1")
    assert "stored 0 · known already 2" in shop.ok("import", users, "--as", "users", at="2025-06-10T05:00:00Z")
    assert "stored 0 · stored before 3" in shop.ok("import", orders, "--as", "events", at="2025-06-10T05:00:00Z")
    assert shop.ok("user", "u1") == before


def test_bad_rows_are_left_out_and_listed_with_line_column_and_reason(shop: Shop) -> None:
    rows = [
        "order,u1,2025-06-01 10:00,a1,-5",
        "ordr,u1,2025-06-01 10:00,a2,5",
        "order,u1,2031-01-01 10:00,a3,5",
        "order,u1,2025-06-01 10:00,a4,viel",
        "order,,2025-06-01 10:00,a5,5",
        "order,u1,2025-06-01 10:00,a6,5,6",
        "order,u1,2025-06-01 10:00,a7,5",
    ]
    said = shop.sop("import", shop.write("o.csv", "event,user_id,at,order_id,amount\n" + "\n".join(rows)), "--as", "events")
    assert said.code == 0
    assert said.out.splitlines()[0] == "read 7 · stored 1 · stored before 0 · rejected 6"
    assert [(row[0], row[1]) for row in errors(shop, "o.csv")] == [
        ("2", "amount"), ("3", "event"), ("4", "at"), ("5", "amount"), ("6", "user_id"), ("7", ""),
    ]  # fmt: skip
    assert "Did you mean 'order'?" in errors(shop, "o.csv")[1][2]
    assert "  line 4: column 'at': '2031-01-01 10:00' lies in the future" in said.err
    assert "6 rows were left out" in said.err


def test_the_same_mistake_is_counted_once_whatever_stood_there(shop: Shop) -> None:
    rows = "".join(f"order,u1,2025-06-01,a{i},-{i}\n" for i in range(1, 4))
    said = shop.sop("import", shop.write("o.csv", f"event,user_id,at,order_id,amount\n{rows}"), "--as", "events")
    assert "  rejected 3: column 'amount': a value is negative; money given back is an event of its own" in said.out
    assert (said.code, said.err.splitlines()[-1][:33]) == (1, "Error: not one row could be read.")


def test_a_list_of_bad_rows_does_not_outlive_its_truth(shop: Shop) -> None:
    shop.sop(
        "import", shop.write("o.csv", "event,user_id,at,order_id,amount\nordr,u1,2025-06-01,a,1\nvisit,u1,2025-06-01,,\n"), "--as", "events"
    )
    assert len(errors(shop, "o.csv")) == 1
    shop.ok("import", shop.write("o.csv", ORDERS), "--as", "events")
    assert not (shop.folder / "o.csv.errors.csv").exists()


def test_a_dry_run_stores_nothing(shop: Shop) -> None:
    out = shop.ok("import", shop.write("users.csv", USERS), "--as", "users", "--dry-run")
    assert out.splitlines()[0] == "read 2 · good 2 · rejected 0 (nothing was stored)"
    assert shop.json("tiers")[0]["users"] == 0


def test_too_many_bad_rows_stop_it(shop: Shop) -> None:
    rows = "".join(f"ordr,u1,2025-06-01,a{i},1\n" for i in range(5))
    said = shop.sop("import", shop.write("o.csv", f"event,user_id,at,order_id,amount\n{rows}"), "--as", "events", "--max-errors", "2")
    assert said.code == 1
    assert "Error: stopped after 3 bad rows: more than --max-errors." in said.err


def test_a_mapping_says_which_column_holds_what_and_unread_columns_are_named(shop: Shop) -> None:
    shop.write("m.yml", "event: order\nuser_id: 会员\nat: 时间\nfields: {order_id: 单号, amount: 金额}\n")
    file = shop.write("订单.tsv", "会员\t时间\t单号\t金额\t备注\nｕ１😀\t2025-06-01\tx1\t１２\t好\n")
    said = shop.sop("import", file, "--as", "events", "--map", shop.folder / "m.yml")
    assert "1 column is read by nobody: 备注." in said.err
    assert shop.json("user", "ｕ１😀")["metrics"]["累计订单数"] == 1


def test_files_that_cannot_be_read_are_one_sentence_each(shop: Shop) -> None:
    cases: list[tuple[str, bytes | None, str]] = [
        ("none.csv", None, "there is no such file"),
        ("empty.csv", b"", "the file is empty"),
        ("gbk.csv", "user_id,昵称\nu1,小王\n".encode("gb18030"), "UTF-8"),
        ("book.csv", b"PK\x03\x04rest", "an Excel file"),
        ("data.dat", b"x", "the ending does not say what kind of file this is"),
        ("wrong.csv", b"id2,at\n1,2\n", "the file has no column 'user_id'"),
        ("broken.csv.gz", gzip.compress(USERS.encode())[:-20], "cannot be read"),
    ]
    for name, content, told in cases:
        file = shop.folder / name if content is None else shop.write(name, content)
        said = shop.sop("import", file, "--as", "users")
        assert said.code == 1, name
        assert said.err.startswith("Error: "), said.err
        assert told in said.err, said.err


def test_gb18030_is_read_when_it_is_named(shop: Shop) -> None:
    shop.ok("import", shop.write("gbk.csv", "user_id,昵称\nu1,小王\n".encode("gb18030")), "--as", "users", "--encoding", "gbk")
    assert shop.json("user", "u1")["attributes"] == {"昵称": "小王"}
    assert "is not an encoding that can be read" in shop.sop("import", "x.csv", "--as", "users", "--encoding", "latin1").err


def test_a_line_of_two_megabytes_is_one_bad_row(shop: Shop) -> None:
    text = "user_id,昵称\nu1,a\nu2," + "x" * 2_000_000 + "\nu3,b\n"
    said = shop.sop("import", shop.write("long.csv", text), "--as", "users")
    assert said.out.splitlines()[0] == "read 3 · stored 2 · known already 0 · rejected 1"
    assert errors(shop, "long.csv") == [["3", "", "the row is longer than 1 MB"]]


def test_codes_go_into_the_pool_that_is_named(shop: Shop) -> None:
    file = shop.write("codes.csv", "code\nA1\nA2\nA1\n\n")
    assert (
        shop.ok("import", file, "--as", "codes", "--pool", "新客券").splitlines()[0] == "read 3 · stored 2 · known already 1 · rejected 0"
    )
    assert "pool 新客券: 0 codes taken, 2 left" in shop.ok("benefits")
    assert "Did you mean '新客券'?" in shop.sop("import", file, "--as", "codes", "--pool", "新客卷").err
    assert "name it with --pool" in shop.sop("import", file, "--as", "codes").err
    assert "only codes go into a pool" in shop.sop("import", file, "--as", "users", "--pool", "新客券").err


def test_the_project_must_have_been_applied(fresh: Shop) -> None:
    said = fresh.sop("import", fresh.write("users.csv", USERS), "--as", "users")
    assert (said.code, said.err.strip()) == (1, "Error: no project has been applied to this database yet: run 'sop apply' first")


def test_history_ends_an_open_run_whose_goal_it_reaches_at_the_time_of_the_event(shop: Shop) -> None:
    shop.ok("track", "u1", "visit", at="2025-06-02T02:00:00Z")
    for name, value in (("手机号", "13800000001"), ("短信许可", "true")):
        shop.ok("set", "u1", name, value, at="2025-06-02T02:00:00Z")
    shop.ok("tick", at="2025-06-02T02:01:00Z")
    shop.ok("import", shop.write("o.csv", "event,user_id,at,order_id,amount\norder,u1,2025-06-04 20:00,a1,120\n"), "--as", "events")
    run = shop.json("why", "u1")["runs"][0]
    assert (run["end_reason"], run["goal_at"]) == ("goal", "2025-06-04T12:00:00+00:00")
    assert [t["state"] for t in run["touches"]] == ["sent", "cancelled"]


def test_an_import_that_was_interrupted_is_finished_by_the_next_one(shop: Shop) -> None:
    app = open_database(shop.folder)
    rows = [EventRecord(f"m{i}", f"u{i}", "visit", at("2025-06-01 10:00")) for i in range(5_001)]

    def stop(_read: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_rows(app, Source(rows), at("2025-06-10 12:00"), progress=stop)
    with app.transaction() as tx:
        assert versions.get_mark(tx, UNFINISHED)
    found = import_rows(app, Source(rows[-1:]), at("2025-06-10 13:00"))
    assert (found.resumed, found.stored) == (True, 1)
    assert found.moves == {("生命周期", "新客期"): 5_001}
    assert not import_rows(app, Source(rows), at("2025-06-10 14:00")).resumed
    app.engine.dispose()


def test_existing_enter_starts_so_many_a_day_through_an_import(shop: Shop) -> None:
    shop.change("playbooks/10-lifecycle.yml", "    again: never", "    again: never\n    existing: enter\n    existing_per_day: 2")
    shop.ok("apply", "--yes", "--no-test")
    rows = "".join(f"u{i},2025-06-09\n" for i in range(5))
    out = shop.ok("import", shop.write("users.csv", f"user_id,joined\n{rows}"), "--as", "users")
    assert out.splitlines()[-1] == "2 runs started of flows with 'existing: enter'"


def test_json_has_the_numbers(shop: Shop) -> None:
    told = shop.json("import", shop.write("users.csv", USERS), "--as", "users")
    assert (told["read"], told["stored"], told["moves"]) == (2, 2, [{"tier": "生命周期", "level": "新客期", "users": 2}])


def test_the_example_project_takes_refusals_and_keywords_from_history(brand: Shop, tmp_path: Path) -> None:
    shutil.copytree(brand.folder, tmp_path / "own")
    own = Shop(tmp_path / "own")
    own.ok("apply", "--yes", "--no-test", "--approved-by", "王")
    rows = [
        "unsubscribed,u1,2025-06-01,短信,",
        "replied,u1,2025-06-01,,好的",
        "replied,u2,2025-06-01,短信,退订",
        "chat_message,u2,2025-06-09,,有优惠券吗",
        "chat_message,u2,2024-06-09,,低脂的",
    ]
    own.ok("import", own.write("e.csv", "event,user_id,at,channel,text\n" + "\n".join(rows)), "--as", "events")
    app = open_database(own.folder)
    with app.transaction() as tx:
        one = people.get_id(tx, "u1")
        other = people.get_id(tx, "u2")  # whose old answer refused
        assert consent.opt_outs_of(tx, [one, other]) == {one: frozenset({"短信"}), other: frozenset({"短信"})}
    app.engine.dispose()
    assert own.json("tasks") == []  # an old reply hands nobody over
    assert [(t["tag"], t["until"]) for t in own.json("user", "u2")["tags"]] == [
        ("价格敏感", "2025-12-06")
    ]  # 180 days from when it was said
