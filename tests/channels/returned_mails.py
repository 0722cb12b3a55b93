"""Mails that come back: reports about deliveries and complaints, as mail servers write them."""

KEY = "0123456789abcdef0123456789abcdef"


def returned(
    to: str, action: str = "failed", status: str = "5.1.1", *, key: str = KEY, headers_only: bool = False, path: str = "", ours: bool = True
) -> bytes:
    """A report about one delivery (RFC 3464) returned to an address; `ours`: it brings back a mail of ours under the key."""
    head = (
        f"From: mail@shop.example\r\nTo: u@example.net\r\nSubject: hi\r\nMessage-ID: <{key}@shop.example>\r\n" if ours else "Subject: x\r\n"
    )
    head += f"X-SOP-Key: {key}\r\n" if ours and not headers_only else ""
    head += f"Return-Path: <{path}>\r\n" if path else ""
    kind = "text/rfc822-headers" if headers_only else "message/rfc822"
    return (
        f"From: MAILER-DAEMON@mx.example.net\r\nTo: {to}\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; u@example.net\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 no\r\n\r\n"
        f"--b\r\nContent-Type: {kind}\r\n\r\n{head}\r\n" + ("" if headers_only else "the text\r\n") + "--b--\r\n"
    ).encode()


def complaint(to: str, kind: str = "abuse", *, key: str = KEY) -> bytes:
    """A feedback report (RFC 5965) about a mail of ours."""
    return (
        f"From: fbl@mx.example.net\r\nTo: {to}\r\nSubject: FW: hi\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is a complaint.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: fbl/1\r\nVersion: 1\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: mail@shop.example\r\nX-SOP-Key: {key}\r\n\r\nthe text\r\n--b--\r\n"
    ).encode()


VACATION = b"From: u@example.net\r\nTo: bounce@shop.example\r\nSubject: Out of office\r\n\r\nBack on Monday.\r\n"
