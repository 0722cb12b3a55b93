"""Holds what a project tells of the texts its providers approve: how it is read, what differs from ours, and what is not compared."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from sop_engine.core.approval import STATES, Approval, around, first_difference
from sop_engine.language.approved import KEYS
from sop_engine.language.folder import read_folder
from sop_engine.language.load import check, load
from tests.actions.sms_shop import ALIYUN_FILES, TENCENT_FILES
from tests.test_house import ROOT

FILE, TEMPLATE = "templates/approved.yml", "templates/a.md"
ALIYUN = "${name}，满${least}减${off}，码${code}，\\n至${until}。拒收请回复R"
TENCENT = "{1}，满{2}减{3}，码{4}，\\n至{5}。拒收请回复R"


def approved(name: str, text: str, state: str = "approved") -> str:
    """The file with one text."""
    return f'短信:\n  {name}:\n    state: {state}\n    text: "{text}"\n    checked: 2025-03-01\n'


def said(written: str, files: dict[str, str] = ALIYUN_FILES) -> list[str]:
    """What is said of the project beside this file: errors, and the warnings of these rules."""
    found = check({**files, FILE: written}, lints=False).problems
    return [str(p).partition("\n")[0] for p in found if p.severity == "error" or p.code == "SOP732"]


def test_what_is_told_is_read_by_channel_and_the_providers_id() -> None:
    project = load({**ALIYUN_FILES, FILE: approved("SMS_45", ALIYUN) + "  SMS_46: {state: withdrawn, note: 换了新的}\n"})
    assert project.approvals == {
        "短信": {"SMS_45": Approval("approved", ALIYUN.replace("\\n", "\n"), date(2025, 3, 1)), "SMS_46": Approval("withdrawn")}
    }


def test_without_the_file_nothing_is_known_and_nothing_is_said() -> None:
    assert load(ALIYUN_FILES).approvals == {}
    assert "SOP732" not in {p.code for p in check(ALIYUN_FILES).problems}


@pytest.mark.parametrize(
    ("files", "name", "text"),
    [
        (ALIYUN_FILES, "SMS_45", ALIYUN),
        (ALIYUN_FILES, "SMS_45", f"【某品牌】{ALIYUN}"),  # the provider writes it
        (ALIYUN_FILES, "SMS_45", f" {ALIYUN}\\n"),
        (TENCENT_FILES, "1145", TENCENT),
        (ALIYUN_FILES, "SMS_45", ""),  # nothing is told of its text
    ],
)
def test_a_text_that_is_the_approved_one_in_its_providers_form_says_nothing(files: dict[str, str], name: str, text: str) -> None:
    assert said(approved(name, text), files) == []


@pytest.mark.parametrize(
    ("files", "name", "text", "told"),
    [
        (
            ALIYUN_FILES,
            "SMS_45",
            ALIYUN.replace("减", "省"),
            "a.md:20:48: error SOP534: *there '…${least}省${off}，码…', here '…${least}减",
        ),
        (ALIYUN_FILES, "SMS_45", ALIYUN.replace("{off}", "{of}"), "a.md:20:52: error SOP534: "),  # another variable
        (ALIYUN_FILES, "SMS_45", TENCENT, "a.md:20:9: error SOP534: "),
        (ALIYUN_FILES, "SMS_45", f"{ALIYUN}！", "a.md:21:36: error SOP534: *there '…}。拒收请回复R！', here '…}。拒收请回复R'."),
        (ALIYUN_FILES, "SMS_45", ALIYUN[:-1], "a.md:21:36: error SOP534: "),
        (TENCENT_FILES, "1145", TENCENT.replace("{2}减{3}", "{3}减{2}"), "a.md:20:19: error SOP534: "),  # the order decides there
    ],
)
def test_a_text_that_differs_is_refused_with_both_at_the_first_difference(files: dict[str, str], name: str, text: str, told: str) -> None:
    [line] = said(approved(name, text), files)
    assert line.startswith(f"templates/{told.partition('*')[0]}")
    assert told.partition("*")[2] in line


@pytest.mark.parametrize(
    ("state", "text", "codes"),
    [
        ("pending", ALIYUN, ["warning SOP732"]),
        ("pending", "别的", ["warning SOP732", "error SOP534"]),  # what was handed in is what will be approved
        ("rejected", "别的", ["warning SOP732"]),  # nobody is bound by it: ours is being rewritten
        ("withdrawn", "别的", ["warning SOP732"]),
    ],
)
def test_a_text_that_is_not_approved_is_warned_of(state: str, text: str, codes: Sequence[str]) -> None:
    found = said(approved("SMS_45", text, state))
    assert [line.split(": ")[1] for line in found] == codes
    assert f"'SMS_45' is {state} (templates/approved.yml:3)" in found[0]


def test_the_warning_is_silenced_with_a_reason_on_its_line() -> None:
    files = {**ALIYUN_FILES, TEMPLATE: ALIYUN_FILES[TEMPLATE].replace("SMS_45\n", "SMS_45    # allow SOP732: 审核中\n")}
    assert said(approved("SMS_45", ALIYUN, "pending"), files) == []


def test_an_id_that_is_not_listed_beside_others_of_its_channel_is_warned_of() -> None:
    [line] = said(approved("SMS_46", "别的"))
    assert line.startswith("templates/a.md:6:20: warning SOP732: 'SMS_45' is not among the texts of '短信'")
    assert said("短信: {}\n") == []


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("短息:\n  SMS_45: {state: approved}\n", "approved.yml:1:1: error SOP301: there is no channel called '短息'."),
        ("短信:\n  SMS_45: {state: ok}\n", "approved.yml:2:19: error SOP204: 'ok' is not possible here."),
        ("短信:\n  SMS_45: {text: x}\n", "approved.yml:2:11: error SOP202: the text 'SMS_45' of '短信' needs 'state'."),
        ("短信:\n  SMS_45: {state: approved, seen: x}\n", "approved.yml:2:29: error SOP201: 'seen' is not a key of the text 'SMS_45'"),
        ("短信:\n  SMS_45: {state: approved, checked: today}\n", "approved.yml:2:38: error SOP203: 'today' is not a date."),
        ("短信: SMS_45\n", "approved.yml:1:5: error SOP206: what is said of '短信' must be a map"),
        ("- 短信\n", "approved.yml:1:1: error SOP206: a document of this file must be a map"),
        ("短信:\n\tx: 1\n", "approved.yml:2:1: error SOP103: "),
    ],
)
def test_what_does_not_fit_is_said_at_its_place(written: str, told: str) -> None:
    assert any(line.startswith(f"templates/{told}") for line in said(written)), said(written)


def test_an_applied_release_is_read_though_its_text_differs_by_now() -> None:
    files = {**ALIYUN_FILES, FILE: approved("SMS_45", "别的")}
    assert check(files).project is None
    assert load(files).approvals["短信"]["SMS_45"].text == "别的"


def test_a_text_in_two_ways_is_left_to_its_own_error() -> None:
    text = ALIYUN_FILES[TEMPLATE].replace("码{{ benefit.code }}", "{% if benefit.code %}码{{ benefit.code }}{% endif %}")
    assert {line.split(": ")[1] for line in said(approved("SMS_45", ALIYUN), {**ALIYUN_FILES, TEMPLATE: text})} == {"error SOP521"}


def test_an_address_for_everybody_stands_in_the_approved_text() -> None:
    text = (
        ALIYUN_FILES[TEMPLATE]
        .replace("variables:", "links: {店: https://shop.example.com/a}\nvariables:")
        .replace("拒收", "见{{ link.店 }} 拒收")
    )
    files = {**ALIYUN_FILES, TEMPLATE: text}
    assert said(approved("SMS_45", ALIYUN.replace("拒收", "见https://shop.example.com/a 拒收")), files) == []
    [line] = said(approved("SMS_45", ALIYUN.replace("拒收", "见https://shop.example.com/b 拒收")), files)
    assert "SOP534" in line


def test_texts_of_other_providers_are_not_compared() -> None:
    files = {**ALIYUN_FILES, "playbooks/a.yml": ALIYUN_FILES["playbooks/a.yml"].replace("aliyun_sms", "outbox")}
    assert said(approved("SMS_45", "别的"), files) == []


def test_the_folder_gives_this_file_of_the_templates_and_no_other(tmp_path: Path) -> None:
    for name in ("approved.yml", "other.yml", "a.md", "more/approved.yml"):
        path = tmp_path / "templates" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", "utf-8")
    assert list(read_folder(tmp_path)) == ["templates/a.md", FILE]


def test_the_first_difference_of_two_texts_is_found_and_shown_in_one_line() -> None:
    assert [first_difference(*pair) for pair in (("ab", "ab"), ("ab", "ac"), ("ab", "abc"), ("", "a"))] == [None, 1, 2, 0]
    assert around("abcdefghij", 5, 2) == "…defgh…"
    assert around("a\nb", 1, 9) == "a↵b"
    assert around("", 0) == ""


def test_the_page_tells_every_key_and_state_and_its_example_is_read() -> None:
    section = (ROOT / "docs" / "channels-sms.md").read_text("utf-8").partition("## What is approved")[2].partition("\n## ")[0]
    assert [word for word in (*KEYS, *STATES) if f"`{word}`" not in section] == []
    project = load({**ALIYUN_FILES, FILE: section.partition("```yaml\n")[2].partition("```")[0]})
    assert {name: one.state for name, one in project.approvals["短信"].items()} == {"SMS_1": "approved", "SMS_2": "pending"}
