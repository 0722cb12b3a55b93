"""The pages behind the link in every message: `/u/…` stops it with one tap, or one POST of a mail program, and lets choose."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from sop_engine.actions.telling import tell
from sop_engine.actions.unsubscribed_later import apply_kept, keep_for_later
from sop_engine.actions.unsubscribing import Link, Said, View, carry_out, look, may_undo, read_link, undo_token
from sop_engine.app import App
from sop_engine.console.form_body import Form, read_form
from sop_engine.console.page_words import WORDS, language

Clock = Callable[[], datetime]
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}
Fields = Annotated[Form, Depends(read_form)]


def add_to(web: FastAPI, app: App, now: Clock) -> None:
    """Add the routes."""
    desk = Desk(app, now)

    @web.head("/u/{token}", include_in_schema=False)
    @web.get("/u/{token}", response_model=None)
    def page(token: str, request: Request) -> Response:
        return desk.answer(token, request, desk.page)

    @web.post("/u/{token}")
    def stop(token: str, request: Request, form: Fields) -> Response:
        return desk.answer(token, request, lambda visit: desk.stop(visit, form))

    @web.head("/u/{token}/preferences", include_in_schema=False)
    @web.get("/u/{token}/preferences", response_model=None)
    def preferences(token: str, request: Request) -> Response:
        return desk.answer(token, request, desk.preferences)

    @web.post("/u/{token}/preferences")
    def choose(token: str, request: Request, form: Fields) -> Response:
        return desk.answer(token, request, lambda visit: desk.choose(visit, form))


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("sop_engine.console", "html"), autoescape=True, undefined=StrictUndefined)


class Visit:
    """One request by a link that is ours, in the language of its reader; what the page shows is read when it is asked for."""

    def __init__(self, desk: "Desk", link: Link, token: str, request: Request) -> None:
        self.link, self.here, self.now = link, f"/u/{token}", desk.now()
        self.accepted = request.headers.get("accept-language", "")
        self.view = desk.view(link, self.now)

    @property
    def words(self) -> Any:
        """The words of the page."""
        return WORDS[language(self.view.locale, self.accepted, "")]

    def told(self, key: str) -> str:
        """A sentence with the names in it."""
        return str(self.words[key]).format(sender=self.view.sender or self.words["unknown_sender"], channel=self.link.channel)

    def look_again(self, desk: "Desk") -> None:
        """After something was written."""
        self.view = desk.view(self.link, self.now)


class Desk:
    """Answers the requests. Nothing a reader says is lost: what the database cannot take now waits in a file."""

    def __init__(self, app: App, now: Clock) -> None:
        self.app, self.now = app, now

    def answer(self, token: str, request: Request, act: Callable[[Visit], Response]) -> Response:
        """What `act` answers to a link of ours; 404 in one shape to every other."""
        link = read_link(self.app.settings, token)
        if link is None:
            words = WORDS[language("", request.headers.get("accept-language", ""), "")]
            return _page("unsubscribe.html", 404, w=words, heading=words["gone"], **_quiet())
        return act(Visit(self, link, token, request))

    def view(self, link: Link, now: datetime) -> View:
        """What can be shown; while the database is away, the button alone."""
        try:
            return look(self.app, link, now)
        except Exception as error:
            tell("page_without_database", level="warning", error=type(error).__name__)
            return View()

    def page(self, visit: Visit) -> Response:
        """The page with one button; it changes nothing."""
        told = visit.words["already"] if visit.view.stopped else ""
        return self._asked(visit, told)

    def _asked(self, visit: Visit, told: str) -> Response:
        words, view = visit.words, visit.view
        sender = view.sender or words["unknown_sender"]
        shown = {"sender": sender, "channel": visit.link.channel, "told": told, "ask": not view.stopped, "undo": "", "more": view.known}
        return _page("unsubscribe.html", 200, w=words, heading=words["stop_title"], here=visit.here, **shown)

    def stop(self, visit: Visit, form: Form) -> Response:
        """Stop it: of a mail program a short text, of the page a page that can take it back for ten minutes."""
        given = form.get("undo")
        if given:
            return self._undo(visit, given[0])
        by_page = form.get("from") == ["page"]
        source = "page" if by_page else "one click"
        wording = visit.words["stop"] if by_page else "List-Unsubscribe=One-Click"
        written = self._say(Said(visit.link, "withdraw", visit.now, source, wording))
        if not by_page:
            text = visit.words["one_click" if written else "later_title"]
            return Response(text, 200 if written else 202, HEADERS, "text/plain; charset=utf-8")
        if not written:
            return self._later(visit)
        undo = undo_token(self.app.settings, visit.link, visit.now)
        return self._done(visit, "stopped_title", visit.told("stopped"), undo)

    def _undo(self, visit: Visit, token: str) -> Response:
        if not may_undo(self.app.settings, visit.link, token, visit.now):
            return self.preferences(visit, visit.words["too_late"])
        if not self._say(Said(visit.link, "undo", visit.now, "undo", visit.words["undo"])):
            return self._later(visit)
        return self._done(visit, "undone_title", visit.told("undone"), "")

    def _later(self, visit: Visit) -> Response:
        return _page("unsubscribe.html", 202, w=visit.words, heading=visit.words["later_title"], **_quiet(told=visit.words["later"]))

    def _done(self, visit: Visit, heading: str, told: str, undo: str) -> Response:
        shown = _quiet(told=told, undo=undo, more=visit.view.known, here=visit.here)
        return _page("unsubscribe.html", 200, w=visit.words, heading=visit.words[heading], **shown)

    def preferences(self, visit: Visit, told: str = "") -> Response:
        """Every channel and topic with a tick; it changes nothing."""
        words, view = visit.words, visit.view
        channels = [(name, name, on) for name, on in view.channels.items()]
        topics = [(f"*/{name}", name, on) for name, on in view.topics.items()]
        groups = [(words["channels"], channels), (words["topics"], topics)]
        sender = view.sender or words["unknown_sender"]
        return _page("preferences.html", 200, w=words, here=visit.here, told=told, groups=groups, sender=sender)

    def choose(self, visit: Visit, form: Form) -> Response:
        """Write what was ticked, of what was offered."""
        said = Said(visit.link, "choose", visit.now, "preferences", visit.words["save"], form.get("offered", []), form.get("want", []))
        if not self._say(said):
            return self._later(visit)
        visit.look_again(self)
        return self.preferences(visit, visit.words["saved"])

    def _say(self, said: Said) -> bool:
        """Whether it is in the database; if not, it is in the file. Raises OSError when it is in neither."""
        try:
            apply_kept(self.app, said.at)  # what was said before comes before
            carry_out(self.app, said, said.at)
            return True
        except Exception as error:
            tell("unsubscribed_kept_for_later", level="warning", error=type(error).__name__)
        keep_for_later(self.app, said)
        return False


def _quiet(**shown: object) -> dict[str, object]:
    return {"told": "", "ask": False, "undo": "", "more": False, "here": "", **shown}


def _page(name: str, status: int, **shown: object) -> Response:
    return Response(_templates().get_template(name).render(**shown), status, HEADERS, "text/html; charset=utf-8")
