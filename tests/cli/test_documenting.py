"""`sop docs` writes a page for each playbook and tier, keeps them up to date, and leaves the files of others alone."""

from pathlib import Path

from tests.cli.conftest import Shop

PAGES = ["README.md", "playbooks/生命周期经营.md", "playbooks/生命周期经营.svg", "tiers/生命周期.md"]


def there(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_pages_of_a_project_are_written_into_its_docs(fresh: Shop) -> None:
    said = fresh.ok("docs")
    folder = fresh.folder / "docs" / "library"
    assert there(folder) == PAGES
    assert said.splitlines()[-1] == f"4 files in {folder.as_posix()}: 4 written, 0 removed, 0 as they were."
    page = (folder / "playbooks" / "生命周期经营.md").read_text("utf-8")
    assert "第 3 天 10:00（第3天送券）：短信「新客券_短信」，附「新客券满99减20」。" in page
    assert "| 新客期 | 第 3 天 10:00 | 第3天送券 | 短信 | 欢迎 | 新客券满99减20 |" in page
    assert "送您一张 ¥20 新客券" in page
    assert "留了一张 ¥50 券给您" in page  # the worth of the benefit that is given beside it
    assert "- 「活跃期」不做：常客先不打扰" in page
    assert "- 新客当天收到欢迎，第 3 天收到券，下单即止" in page


def test_nothing_is_written_twice_and_pages_of_what_is_gone_are_removed(fresh: Shop, tmp_path: Path) -> None:
    assert fresh.json("docs", "--into", tmp_path / "pages")["written"] == PAGES
    assert fresh.json("docs", "--into", tmp_path / "pages")["written"] == []
    fresh.change("playbooks/10-lifecycle.yml", "生命周期经营", "老客经营")
    changed = fresh.json("docs", "--into", tmp_path / "pages")
    assert changed["removed"] == ["playbooks/生命周期经营.md", "playbooks/生命周期经营.svg"]
    assert changed["files"] == there(tmp_path / "pages")


def test_a_file_of_somebody_else_is_neither_replaced_nor_removed(fresh: Shop, tmp_path: Path) -> None:
    (tmp_path / "pages" / "tiers").mkdir(parents=True)
    (tmp_path / "pages" / "tiers" / "旧.md").write_text("mine", "utf-8")
    fresh.ok("docs", "--into", tmp_path / "pages")
    assert there(tmp_path / "pages") == sorted([*PAGES, "tiers/旧.md"])
    (tmp_path / "pages" / "README.md").write_text("mine", "utf-8")
    (tmp_path / "pages" / PAGES[1]).unlink()
    said = fresh.sop("docs", "--into", tmp_path / "pages")
    assert (said.code, "README.md' was not written by 'sop docs', and is not replaced." in said.err) == (1, True)
    assert not (tmp_path / "pages" / PAGES[1]).exists()
    assert (tmp_path / "pages" / "README.md").read_text("utf-8") == "mine"


def test_the_pages_are_written_in_english_too(fresh: Shop, tmp_path: Path) -> None:
    fresh.ok("docs", "--into", tmp_path / "pages", "--lang", "en")
    tier = (tmp_path / "pages" / "tiers" / "生命周期.md").read_text("utf-8")
    assert "| 1 | 流失期 | `累计订单数 >= 1 and 未访问天数 >= 30` | silent |" in tier
    assert "- '活跃期': 常客先不打扰" in tier
    assert "is not a language it can be said in" in fresh.sop("docs", "--lang", "fr").err


def test_a_folder_that_cannot_be_written_is_said_in_one_sentence(fresh: Shop, tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("a file", "utf-8")
    said = fresh.sop("docs", "--into", tmp_path / "pages")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: '") and "cannot be written" in said.err
