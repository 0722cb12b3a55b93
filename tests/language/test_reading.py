"""Reading files: places, encodings, and everything that could hang, explode or mislead."""

import pathlib

import pytest

from sop_engine.core.errors import BadFile
from sop_engine.language.folder import read_folder
from sop_engine.language.load import check
from sop_engine.language.report import Place, Report
from sop_engine.language.source import Map, Text
from sop_engine.language.yaml_tree import read_yaml


def tree(text: str) -> Map:
    """The tree of the only document."""
    report = Report()
    (document,) = read_yaml("a.yml", text, report)
    assert report.sorted() == []
    assert isinstance(document.root, Map)
    return document.root


def said(text: str) -> list[str]:
    """What is said of a file on its own, without what is missing in the project."""
    problems = check({"playbooks/a.yml": text}).problems
    return [str(p) for p in problems if "no 'project' document" not in p.sentence]


def test_everything_is_text_with_its_place() -> None:
    root = tree("键: 值\nb: {c: [10:00, true]}\n")

    assert root.get("键") == Text("值", Place("a.yml", 1, 4, 1))
    inner = root.get("b")
    assert isinstance(inner, Map)
    assert inner.key("c") == Place("a.yml", 2, 5, 1)


@pytest.mark.parametrize(
    ("text", "word", "line", "column"),
    [
        ("k: ab cd", "cd", 1, 7),
        ('k: "ab cd"', "cd", 1, 8),
        ("k: 'a''b cd'", "cd", 1, 10),
        (r'k: "\u4e2d\"b cd"', "cd", 1, 15),
        ("k: ab\n  cd ef", "ef", 2, 6),
        ("k: >\n  ab\n  cd ef\n", "ef", 3, 6),
        ("k: |\n  ab\n  cd ef\n", "ef", 3, 6),
        ("k: 中文 cd", "cd", 1, 7),
    ],
)
def test_a_word_inside_a_value_has_its_own_place(text: str, word: str, line: int, column: int) -> None:
    value = tree(text).get("k")

    assert isinstance(value, Text)
    place = value.at(value.value.index(word), len(word))
    assert (place.line, place.column) == (line, column)


def test_a_document_that_cannot_be_read_hides_nothing_in_the_others() -> None:
    first, second = said("tags:\n  甲: {for: 30d\n---\nworkflow: x\n")

    assert first.startswith("playbooks/a.yml:2:6: error SOP101: a bracket is opened and not closed")
    assert second == "playbooks/a.yml:4:1: error SOP106: 'workflow' cannot start a document. Did you mean 'playbook'?"


def test_names_of_a_document_that_cannot_be_read_stay_known() -> None:
    assert len(said("tags:\n  甲: {for: 30d\n---\nmetrics:\n  乙: {count: delivered}\ntags:\n  丙: {when: 甲 and 乙 > 3}\n")) == 1


def test_an_alias_bomb_is_refused_where_it_stands() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20))

    problems = said(bomb)

    assert "playbooks/a.yml:1:4: error SOP105: anchors (&) are not used here. Write the value out, or use a blueprint." in problems
    assert len([p for p in problems if "aliases" in p]) == 40


def test_deep_nesting_is_one_message() -> None:
    assert said("tags: " + "[" * 5000 + "]" * 5000) == ["playbooks/a.yml:1:36: error SOP101: this is nested too deeply: at most 30 levels."]


def test_a_huge_file_is_one_message() -> None:
    assert said("# x\n" * 600_000) == [
        "playbooks/a.yml:1:1: error SOP101: this file is too large: at most 2,000,000 characters. Split it into several files."
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n---\n", "\ufeff# mark\n"])
def test_a_file_without_content_says_nothing(text: str) -> None:
    assert said(text) == []


def test_a_control_character_has_its_place() -> None:
    assert said("tags:\n  甲: {note: a\x07b}\n") == ["playbooks/a.yml:2:14: error SOP101: the character U+0007 cannot be read. Delete it."]


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    assert said("\ufefftags:\r\n  甲: {fro: 30d}\r\n") == said("tags:\n  甲: {fro: 30d}\n")


def test_names_are_compared_after_normalisation() -> None:
    assert said("tags:\n  ＶＩＰ客: {for: 30d}\n  乙: {when: VIP客}\n") == []


def test_a_project_that_says_nothing_is_told_what_to_write() -> None:
    (problem,) = check({}).problems

    assert str(problem) == (
        "playbooks:1:1: error SOP202: there is no 'project' document. Write one: 'project: NAME' with timezone, purchase and activity."
    )


def test_only_playbooks_and_templates_are_read(tmp_path: pathlib.Path) -> None:
    for name in ("playbooks/b/x.yml", "playbooks/a.yml", "templates/t.md", "templates/t.yml", "other/y.yml", "playbooks/notes.txt"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("# 你好\n", "utf-8")

    assert read_folder(tmp_path) == {"playbooks/a.yml": "# 你好\n", "playbooks/b/x.yml": "# 你好\n", "templates/t.md": "# 你好\n"}


def test_a_missing_folder_is_said_plainly(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BadFile, match="there is no folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(BadFile, match="neither 'playbooks' nor 'templates'"):
        read_folder(tmp_path)


def test_a_file_of_another_encoding_is_a_message_with_its_place(tmp_path: pathlib.Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "a.yml").write_bytes("tags:\n  甲: {for: 30d}\n".encode("gb18030"))

    problems = [str(p) for p in check(read_folder(tmp_path)).problems if p.file == "playbooks/a.yml"]

    assert problems == ["playbooks/a.yml:2:3: error SOP101: this file is not UTF-8 text. Save it with the encoding UTF-8."]


def test_a_yaml_ending_is_not_silently_ignored(tmp_path: pathlib.Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "a.yaml").write_text("tags: {}\n", "utf-8")

    assert "playbooks/a.yaml:1:1: error SOP101: files end in .yml here. Rename this one." in map(str, check(read_folder(tmp_path)).problems)


def test_groups_of_groups_that_double_are_no_bomb() -> None:
    doubling = "events:\n" + "".join(f"  e{i}: [e{i + 1}, e{i + 1}]\n" for i in range(200)) + "  e200: {}\n"

    assert said(doubling) == []
