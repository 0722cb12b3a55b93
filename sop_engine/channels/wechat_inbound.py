"""Opens what WeChat and WeCom push: proves it is theirs, decrypts it, and answers the question by which they check an address."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from sop_engine.channels._wxcrypt import Cipher, NotTheirs, read_xml
from sop_engine.channels.contract import Fact, Reply, Request

PLAIN = "text/plain; charset=utf-8"


def received(cipher: Cipher | None, request: Request, facts_of: Callable[[Element], Sequence[Fact]], *, thanks: bytes) -> Reply:
    """The facts of a verified request, answered with `thanks`; a bare 401 for one that is not the provider's, 404 without keys."""
    if cipher is None:
        return Reply(status=404)
    try:
        if request.method.upper() == "GET":
            return Reply(body=_echo(cipher, request), content_type=PLAIN)
        return Reply(facts=tuple(facts_of(_opened(cipher, request))), body=thanks, content_type=PLAIN)
    except (NotTheirs, UnicodeError):
        return Reply(status=401)


def _echo(cipher: Cipher, request: Request) -> bytes:
    """What has to be said to show that this address is ours: the text they sent, nothing around it."""
    query = request.query
    echo, times = query.get("echostr", ""), (query.get("timestamp", ""), query.get("nonce", ""))
    if "msg_signature" in query:
        cipher.check(query["msg_signature"], *times, echo)
        return cipher.decrypt(echo)
    cipher.check(query.get("signature", ""), *times)
    return echo.encode()


def _opened(cipher: Cipher, request: Request) -> Element:
    """The root of the message. An account with a key takes nothing that is not encrypted."""
    query = request.query
    times = (query.get("timestamp", ""), query.get("nonce", ""))
    if not cipher.encrypts:
        cipher.check(query.get("signature", ""), *times)
        return read_xml(request.body)
    sealed = read_xml(request.body).findtext("Encrypt") or ""
    cipher.check(query.get("msg_signature", ""), *times, sealed)
    return read_xml(cipher.decrypt(sealed))


def created_at(root: Element, otherwise: datetime) -> datetime:
    """When it happened, as the provider says."""
    text = (root.findtext("CreateTime") or "").strip()
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) <= 11 else otherwise


def said(root: Element, name: str) -> str:
    """The text of one element, empty where there is none."""
    return (root.findtext(name) or "").strip()
