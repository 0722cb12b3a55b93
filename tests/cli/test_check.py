"""`sop check` shows every problem where it stands, in four formats, and starts fast because it loads no database."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sop_engine.cli.output import paint, table, width
from sop_engine.cli.problems import in_text
from sop_engine.core.errors import Problem
from tests.cli.conftest import Shop

LATE = ("sqlalchemy", "sqlmodel", "alembic", "sklearn", "scipy", "numpy", "rich", "celery", "apscheduler", "openpyxl")


def test_a_project_without_errors_exits_with_0(brand: Shop) -> None:
    said = brand.sop("check")
    assert said.code == 0
    assert said.out.splitlines()[-1].startswith("0 errors, ")


def test_an_error_is_shown_with_its_line_and_exits_with_1(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    said = fresh.sop("check")
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0].startswith("playbooks/01-tiers.yml:5:23: error SOP403: ")
    assert lines[1] == "  流失期: 累计订单数 >= 1 and 未访问天 >= 30"
    assert lines[2] == " " * 30 + "^" * 8


@pytest.mark.parametrize(
    ("line", "column", "length", "marks"),
    [
        ("a: b", 4, 1, "   ^"),
        ("目标: gaol", 5, 4, "      ^^^^"),
        ("x: ：", 4, 1, "   ^^"),
        ("😀: x", 4, 1, "    ^"),
    ],
)
def test_the_marks_count_double_width_characters_as_two(line: str, column: int, length: int, marks: str) -> None:
    problem = Problem("f.yml", 1, column, "error", "SOP201", "wrong.", line, length)
    assert in_text([problem]).splitlines()[1:] == [line, marks]


def test_a_file_or_a_folder_narrows_what_is_shown(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    assert "SOP403" in fresh.sop("check", "playbooks").out
    assert "SOP403" in fresh.sop("check", "./playbooks/01-tiers.yml").out
    other = fresh.sop("check", "templates")
    assert "SOP403" not in other.out
    assert other.code == 1
    assert "1 error in other files" in other.err


def test_a_file_that_is_not_there_is_named_with_a_close_one(fresh: Shop) -> None:
    said = fresh.sop("check", "playbooks/01-tier.yml")
    assert said.code == 1
    assert said.err.strip() == (
        "Error: the project has no file 'playbooks/01-tier.yml'. Did you mean 'playbooks/01-tiers.yml'? It can be: "
        "playbooks/00-project.yml, playbooks/01-tiers.yml, playbooks/10-lifecycle.yml, templates/唤醒_短信.md, "
        "templates/新客券_短信.md, templates/欢迎_短信.md."
    )


def test_json_holds_every_problem(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    for words in (["--json"], ["--format", "json"]):
        said = fresh.sop("check", *words)
        assert said.code == 1
        first = said.json[0]
        assert (first["file"], first["line"], first["column"], first["code"]) == ("playbooks/01-tiers.yml", 5, 23, "SOP403")


def test_sarif_is_what_code_scanners_read(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    log = json.loads(fresh.sop("check", "--format", "sarif").out)
    assert log["version"] == "2.1.0"
    result = log["runs"][0]["results"][0]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"], place["artifactLocation"]["uri"]) == ("SOP403", "error", "playbooks/01-tiers.yml")
    assert place["region"] == {"startLine": 5, "startColumn": 23, "endColumn": 27}


def test_github_annotations_are_one_line_each(fresh: Shop) -> None:
    fresh.change("playbooks/01-tiers.yml", "未访问天数 >= 30", "未访问天 >= 30")
    first = fresh.sop("check", "--format", "github").out.splitlines()[0]
    assert first.startswith("::error file=playbooks/01-tiers.yml,line=5,col=23,endColumn=27,title=SOP403::")


def test_a_folder_that_is_no_project_says_so(tmp_path: Path) -> None:
    said = Shop(tmp_path).sop("check")
    assert said.code == 1
    assert said.err.startswith("Error: the folder '")
    assert "has neither 'playbooks' nor 'templates'" in said.err
    assert "there is no folder" in Shop(tmp_path / "nowhere").sop("check").err


def test_bytes_that_are_no_text_are_a_problem_of_the_file(fresh: Shop) -> None:
    fresh.write("playbooks/99-gbk.yml", "tier: 分层".encode("gb18030"))
    said = fresh.sop("check")
    assert said.code == 1
    assert "playbooks/99-gbk.yml:1:7: error SOP101: this file is not UTF-8 text" in said.out


def test_wrong_usage_exits_with_2(fresh: Shop) -> None:
    said = fresh.sop("check", "--form", "xml")
    assert said.code == 2
    assert "Traceback" not in said.err
    assert fresh.sop("chek").code == 2


@pytest.mark.parametrize("words", [["--help"], ["check"], ["apply", "--help"]])
def test_help_and_check_load_nothing_heavy(words: list[str], fresh: Shop) -> None:
    words = [*words, "--project", str(fresh.folder)] if words == ["check"] else words
    code = (
        "import sys\nfrom sop_engine.cli.main import app\n"
        f"try: app({words!r})\nexcept SystemExit as end: assert not end.code\n"
        f"print([m for m in {LATE!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_table_is_straight_whatever_stands_in_it() -> None:
    assert width("ａb😀") == 5
    assert table([["新客", 1], ["x", 10]], right=(1,)) == "新客   1\nx     10"


def test_colours_are_for_terminals_and_never_against_ones_will(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paint("error", "red") == "\x1b[31merror\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("error", "red") == "error"


def test_tracked_links_without_an_address_or_a_key_are_told_of(fresh: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    file = fresh.folder / "playbooks" / "00-project.yml"
    file.write_text(file.read_text("utf-8").replace("\ntimezone:", "\nlinks: {keep: 90d}\ntimezone:", 1), "utf-8")
    assert "set SOP_PUBLIC_URL and SOP_SIGNING_KEY" in fresh.sop("check").err
    monkeypatch.setenv("SOP_PUBLIC_URL", "https://go.example.com")
    assert "set SOP_SIGNING_KEY" in fresh.sop("check").err
    monkeypatch.setenv("SOP_SIGNING_KEY", "k" * 32)
    assert "SOP_" not in fresh.sop("check").err
