"""Reads the body of a form, urlencoded or multipart, without believing anything in it."""

from email import message_from_bytes
from email.message import Message
from urllib.parse import parse_qs

from fastapi import Request

MOST = 64 * 1024  # bytes of a body that are read; the rest is left
MOST_FIELDS = 200

Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """The fields of the request's form by name; what cannot be read has none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST:
            return {}
    return fields_of(request.headers.get("content-type", ""), body)


def fields_of(content_type: str, body: bytes) -> Form:
    """The fields of a body of this type."""
    if content_type.lower().startswith("multipart/form-data"):
        return _multipart(content_type, body)
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return {}


def _multipart(content_type: str, body: bytes) -> Form:
    found: Form = {}
    head = f"Content-Type: {' '.join(content_type.split())}\r\n\r\n".encode("latin-1", "replace")
    whole = message_from_bytes(head + body)
    parts = whole.get_payload() if whole.is_multipart() else []
    for part in parts if isinstance(parts, list) else []:
        name = part.get_param("name", header="content-disposition") if isinstance(part, Message) else None
        value = part.get_payload(decode=True) if isinstance(name, str) and isinstance(part, Message) else None
        if isinstance(name, str) and isinstance(value, bytes):
            found.setdefault(name, []).append(value.decode(errors="replace"))
    return found
