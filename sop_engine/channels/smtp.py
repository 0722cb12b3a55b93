"""Speaks SMTP command by command, so that it is always known whether a mail was handed over."""

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from sop_engine.channels.codes import BAD_ADDRESS, CONFIGURATION, NO_ANSWER, REPEAT, smtp_meaning
from sop_engine.core.errors import DeliveryError, Refused

WAIT_S = 10
TLS = ("starttls", "implicit", "none")


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server mails are handed to. `tls`: starttls, implicit, or none, which only this machine may have."""

    host: str
    port: int = 587
    tls: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str | None = None  # certificates to trust besides the system's

    def __post_init__(self) -> None:
        if self.tls not in TLS:
            raise Refused(f"smtp_tls is '{self.tls}'. It can be: {', '.join(TLS)}.")
        if self.tls == "none" and not is_loopback(self.host):
            raise Refused(
                f"mail to '{self.host}' without TLS could be read on the way. Write smtp_tls starttls (port 587) or implicit (465)."
            )
        if self.tls == "none" and self.user:
            raise Refused("a password is never sent without TLS. Write smtp_tls starttls or implicit, or leave out smtp_user.")

    @property
    def provider(self) -> str:
        """Whose table of replies holds besides the general one."""
        return "aliyun" if self.host.endswith((".aliyun.com", ".aliyuncs.com")) else ""


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connect(relay: Relay, *, hello: str) -> smtplib.SMTP:
    """A connection that is greeted, encrypted and logged in; raises DeliveryError. `hello` is the name we give ourselves."""
    try:
        smtp = _dial(relay, hello)
    except ssl.SSLCertVerificationError as error:
        raise CONFIGURATION.error("the mail server's certificate is not valid for its name") from error
    except smtplib.SMTPConnectError as error:
        raise REPEAT.error(f"refused with {error.smtp_code}") from error
    except (OSError, smtplib.SMTPException) as error:
        raise REPEAT.error(f"no connection: {type(error).__name__}") from error
    try:
        _enter(smtp, relay)
    except DeliveryError:
        smtp.close()
        raise
    return smtp


def _dial(relay: Relay, hello: str) -> smtplib.SMTP:
    if relay.tls == "implicit":
        return smtplib.SMTP_SSL(relay.host, relay.port, hello, timeout=WAIT_S, context=_trust(relay))
    return smtplib.SMTP(relay.host, relay.port, hello, timeout=WAIT_S)


def _trust(relay: Relay) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if relay.ca_file:
        context.load_verify_locations(relay.ca_file)
    return context


def _enter(smtp: smtplib.SMTP, relay: Relay) -> None:
    """Encrypt and log in. Whatever the server refuses here, a person has to put right; a cut is no refusal."""
    try:
        if relay.tls == "starttls":
            smtp.starttls(context=_trust(relay))
        smtp.ehlo_or_helo_if_needed()
        if relay.user:
            smtp.login(relay.user, relay.password)
    except ssl.SSLCertVerificationError as error:
        raise CONFIGURATION.error("the mail server's certificate is not valid for its name") from error
    except smtplib.SMTPResponseException as error:
        meaning = smtp_meaning(relay.provider, error.smtp_code, _text(error.smtp_error), handed_over=False)
        busy = meaning is REPEAT and error.smtp_code != 454  # 454 to STARTTLS: TLS is not to be had
        raise (REPEAT if busy else CONFIGURATION).error(f"refused with {error.smtp_code} before the first mail") from error
    except smtplib.SMTPNotSupportedError as error:
        raise CONFIGURATION.error("the mail server offers no STARTTLS or no way to log in") from error
    except (OSError, smtplib.SMTPException) as error:
        raise REPEAT.error(f"cut before the first mail: {type(error).__name__}") from error


def hand_over(smtp: smtplib.SMTP, envelope: tuple[str, str], mail: bytes, *, provider: str = "") -> str:
    """Hand one mail to the server and return its answer; raises DeliveryError. `envelope`: where bounces go, and the recipient."""
    sender, to = envelope
    try:
        _expect(smtp.mail(sender), (250,), provider)
        _expect(smtp.rcpt(to), (250, 251), provider)
        _expect(smtp.docmd("DATA"), (354,), provider)
    except (OSError, smtplib.SMTPException) as error:
        smtp.close()
        raise REPEAT.error(f"cut before the text: {type(error).__name__}") from error
    except UnicodeError as error:  # nothing was sent
        raise BAD_ADDRESS.error("the address cannot be written in SMTP") from error
    try:  # from here on, no reply means that nobody knows
        smtp.send(re.sub(rb"(?m)^\.", b"..", mail) + b".\r\n")
        code, text = smtp.getreply()
    except (OSError, smtplib.SMTPException) as error:
        smtp.close()
        raise NO_ANSWER.error(f"cut after the text: {type(error).__name__}") from error
    if code == 250:
        return _masked(text)[:200]
    if not 400 <= code < 600:
        smtp.close()
    raise smtp_meaning(provider, code, _text(text), handed_over=True).error(f"{code} after the text: {_masked(text)}")


def leave(smtp: smtplib.SMTP) -> None:
    """Say goodbye and close; a goodbye that fails changes nothing."""
    with suppress(OSError, smtplib.SMTPException):
        smtp.quit()
    smtp.close()


def _expect(reply: tuple[int, bytes], good: tuple[int, ...], provider: str) -> None:
    code, text = reply
    if code not in good:
        raise smtp_meaning(provider, code, _text(text), handed_over=False).error(f"{code} before the text: {_masked(text)}")


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply


def _masked(reply: bytes | str) -> str:
    """The reply on one line without addresses."""
    return " ".join(re.sub(r"\S+@\S+", "***", _text(reply)).split())
