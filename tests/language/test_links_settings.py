"""Holds how a project says which links are tracked, and what it is told when it says it wrongly."""

import pytest

from sop_engine.core.forms import Length
from sop_engine.core.links import LinkRules
from sop_engine.language.load import check, load
from tests.shop_project import CATALOGUE, PROJECT, text

TEMPLATE = text("hello", "sms").replace("\n---\nhello", "\nlinks: {a: https://other.example/a}\n---\n{{ link.a }}")


def checked(links: str, template: str = "") -> tuple[LinkRules | None, list[str]]:
    """The rules of a project that says this, and its errors."""
    head = "\n".join(f"{k}: {v}" for k, v in {**PROJECT, **({"links": links} if links else {})}.items())
    files = {"playbooks/a.yml": f"{head}\n---\n{CATALOGUE}", "templates/hello.md": template or text("hello", "sms")}
    found = check(files, lints=False)
    return found.project and found.project.settings.links, [p.sentence for p in found.problems if p.severity == "error"]


@pytest.mark.parametrize(
    ("links", "rules"),
    [
        ("", LinkRules(False)),
        ("{}", LinkRules(True)),
        ("{tracked: false, utm_hosts: a.example}", LinkRules(False, utm_hosts=("a.example",))),
        (
            "{hosts: [a.example, '*.b.example'], fallback: 'https://a.example/', keep: 400d}",
            LinkRules(True, ("a.example", "*.b.example"), fallback="https://a.example/", keep=Length(days=400)),
        ),
    ],
)
def test_a_project_that_says_anything_of_links_has_them_tracked_unless_it_says_no(links: str, rules: LinkRules) -> None:
    assert checked(links) == (rules, [])


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ("{keep: 59d}", "at least 60 days"),
        ("{fallback: 'http://a.example'}", "Write 'https://…'"),
        ("{hosts: 'https://a.example'}", "is not a host"),
        ("{utm_hosts: [a.example, A.example]}", "is not a host"),
        ("{host: a.example}", "Did you mean 'hosts'"),
        ("yes", "must be a map"),
    ],
)
def test_what_does_not_fit_is_said(links: str, told: str) -> None:
    rules, errors = checked(links)
    assert rules is None
    assert len(errors) == 1
    assert told in errors[0]


def test_a_template_may_name_links_to_the_projects_hosts_alone() -> None:
    assert checked("{hosts: other.example}", TEMPLATE)[1] == []
    assert "no host of the project's 'links: hosts'" in checked("{hosts: a.example}", TEMPLATE)[1][0]


@pytest.mark.parametrize(
    ("template", "errors"),
    [
        (text("hello", "sms", purpose="service", body="https://evil.example/"), 1),
        (text("hello", "mail", purpose="service").replace("\n---\n", "\nsubject: see http://a.example\n---\n"), 1),
        (text("hello", "desk", purpose="internal", body="http://evil.example/"), 0),
        (text("hello", "desk", purpose="internal").replace("\n---\n", "\nlinks: {a: 'http://a.example/'}\n---\n"), 0),
        (text("hello", "desk", purpose="internal").replace("\n---\n", "\nlinks: {a: 'https://evil.example/'}\n---\n"), 1),
        (text("hello", "sms", variables="name: x", body="https://a.example/{{ name }}?n={{ name }}"), 0),
        (text("hello", "sms", variables="name: x", body="https://{{ name }}.a.example/"), 1),
        (text("hello", "sms", body="https://a.example@evil.example/"), 1),
    ],
)
def test_what_customers_read_leads_to_listed_hosts_over_https_and_what_colleagues_read_need_not(template: str, errors: int) -> None:
    assert len(checked("{hosts: a.example}", template)[1]) == errors
    assert checked("{utm_hosts: a.example}", template)[1] == []


def test_an_applied_release_is_read_though_its_text_leads_elsewhere() -> None:
    head = "\n".join(f"{k}: {v}" for k, v in {**PROJECT, "links": "{hosts: a.example}"}.items())
    files = {"playbooks/a.yml": f"{head}\n---\n{CATALOGUE}", "templates/hello.md": TEMPLATE}
    assert check(files).project is None
    assert list(load(files).templates) == ["hello"]
