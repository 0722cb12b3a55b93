"""`sop preview`, `say`, `matrix`, `schema` and `init` show and write what a project says."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sop_engine.cli.main import app
from tests.cli.conftest import Shop

pytestmark = pytest.mark.slow


def test_a_template_is_previewed_with_made_up_values(shop: Shop) -> None:
    lines = shop.ok("preview", "唤醒_短信").splitlines()
    assert lines[0] == "唤醒_短信 · 短信 · marketing · zh-CN"
    assert lines[1].startswith("您好，好久不见，店里上了不少新东西。留了一张 ¥20 券给您：CODE-1，2025年6月17日 前可用。")
    assert lines[-1] == "unknown: 昵称 → “您好”"


def test_a_template_is_previewed_for_a_user(shop: Shop) -> None:
    shop.ok("track", "u1", "visit")
    shop.ok("set", "u1", "昵称", "小王")
    told = shop.json("preview", "欢迎_短信", "--user", "u1")[0]
    assert told["text"].startswith("小王，欢迎来到小店！")
    assert (told["length"], told["parts"], told["fallbacks"]) == (len(told["text"]), None, [])
    assert "there is no user 'u2'" in shop.sop("preview", "欢迎_短信", "--user", "u2").err
    assert "there is no template '欢迎'. Did you mean '欢迎_短信'?" in shop.sop("preview", "欢迎").err


def test_every_template_of_the_example_can_be_previewed(brand: Shop) -> None:
    files = sorted((brand.folder / "templates").glob("*.md"))
    names = {
        line.removeprefix("template: ").strip()
        for f in files
        for line in f.read_text("utf-8").splitlines()
        if line.startswith("template: ")
    }
    from sop_engine.actions.previewing import preview_made_up
    from sop_engine.cli.opening import day, read_project

    _, project = read_project(brand.folder)
    missing = {name: one.missing for name in names for one in preview_made_up(project, name, day("2025-06-10")) if one.missing}
    assert missing == {}


def test_a_playbook_is_said_in_both_languages(shop: Shop) -> None:
    assert "用户进入「生命周期 = 新客期」时开始" in shop.ok("say", "生命周期经营")
    english = shop.ok("say", "生命周期经营/新客期", "--lang", "en")
    assert english.startswith("Starts when a user enters '生命周期 = 新客期'")
    assert "is not a language it can be said in" in shop.sop("say", "生命周期经营", "--lang", "fr").err
    assert "Did you mean '生命周期经营'?" in shop.sop("say", "生命周期经理").err


def test_the_matrix_has_no_blank_cell_and_marks_few_users(shop: Shop) -> None:
    shop.ok("track", "u1", "visit")
    lines = shop.ok("matrix", "生命周期").splitlines()
    assert lines[0].split() == ["生命周期", "users", "立即", "第", "3", "天", "10:00", "第", "45", "天", "10:00"]
    assert lines[1].split() == ["活跃期", "生命周期经营", "0", "*", "none:", "常客先不打扰", "–", "–"]
    assert lines[2].split()[:4] == ["新客期", "生命周期经营", "1", "*"]
    assert "短信 · 欢迎 · 新客券满99减20" in lines[2]
    assert lines[-1] == "* fewer than 30 users: too few to learn from"


def test_the_matrix_says_what_is_not_known_or_mapped(brand: Shop, fresh: Shop) -> None:
    out = fresh.ok("matrix", "生命周期")
    assert out.splitlines()[-1] == "? the number of users is known after 'sop apply'"
    assert not (fresh.folder / "sop.db").exists()
    assert "no playbook acts on this tier" in brand.ok("matrix", "RFM八类")
    for tier in ("RFM五档", "三层", "社媒互动"):
        rows = brand.json("matrix", tier)["rows"]
        assert all(row["cells"] or row["nothing"] for row in rows)


def test_the_schema_names_what_the_project_has_and_keeps_the_editors_settings(fresh: Shop) -> None:
    settings = fresh.folder / ".vscode" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"editor.tabSize": 2}', "utf-8")
    fresh.ok("schema")
    assert "新客券满99减20" in (fresh.folder / ".sop" / "schema.json").read_text("utf-8")
    assert json.loads(settings.read_text("utf-8")) == {"editor.tabSize": 2, "yaml.schemas": {".sop/schema.json": "playbooks/**/*.yml"}}
    settings.write_text("// a comment\n{}", "utf-8")
    assert "is left as it is" in fresh.ok("schema")
    assert settings.read_text("utf-8").startswith("// a comment")


def test_init_writes_a_project_without_errors_and_overwrites_nothing(fresh: Shop) -> None:
    assert fresh.ok("check").splitlines()[-1] == "0 errors, 0 warnings, 1 info in 6 files."
    again = CliRunner().invoke(app, ["init", str(fresh.folder)])
    assert again.exit_code == 1
    assert "nothing is overwritten" in again.stderr


def test_init_makes_the_folders_it_needs(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["init", str(tmp_path / "a" / "b")])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].endswith("sop check && sop test && sop apply")
    assert (tmp_path / "a" / "b" / "templates" / "欢迎_短信.md").is_file()
