"""Makes, lists and revokes the keys of the API, and says whose a key is."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sop_engine.app import App
from sop_engine.core.api_key import ID_BYTES, SCOPES, SECRET_BYTES, hash_of_key, id_of, is_same, is_source, key_text
from sop_engine.core.errors import BadInput, NotFound
from sop_engine.language.report import did_you_mean
from sop_engine.store import api_keys, audit
from sop_engine.store.api_keys import ApiKey

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was made just now; `key` is shown this once."""

    id: str
    source: str
    scopes: tuple[str, ...]
    key: str = field(repr=False)


def make_key(app: App, source: str, scopes: tuple[str, ...], now: datetime, *, by: str) -> NewKey:
    """A new key of a source, beside those it has. Raises BadInput for a name that is none or an unknown scope."""
    if not is_source(source):
        raise BadInput(f"'{source}' cannot be a source. Write small letters, digits, - and _, at most 40, as in web or till-2.")
    for scope in scopes:
        if scope not in SCOPES:
            raise BadInput(f"'{scope}' is not a scope.{did_you_mean(scope, list(SCOPES))} It can be: {', '.join(SCOPES)}.")
    key_id = secrets.token_hex(ID_BYTES)
    key = key_text(key_id, secrets.token_urlsafe(SECRET_BYTES))
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    with app.transaction() as tx:
        api_keys.add_key(tx, ApiKey(key_id, source, ordered, now, by, None, ""), hash_of_key(key))
        audit.note(tx, by, "made a key", {"key": key_id, "source": source, "scopes": " ".join(ordered)}, now)
    return NewKey(key_id, source, ordered, key)


def list_keys(app: App) -> list[ApiKey]:
    """All keys, the revoked ones too; none of them can be read."""
    with app.transaction() as tx:
        return api_keys.list_keys(tx)


def revoke_key(app: App, key_id: str, now: datetime, *, by: str) -> ApiKey:
    """A key opens nothing from now on; its source and what it sent stay. Raises NotFound."""
    with app.transaction() as tx:
        found = next((k for k in api_keys.list_keys(tx) if k.id == key_id), None)
        if found is None or not api_keys.revoke_key(tx, key_id, now, by):
            raise NotFound(f"there is no key '{key_id}' that opens anything. 'sop keys' lists them by their id.")
        audit.note(tx, by, "revoked a key", {"key": key_id, "source": found.source}, now)
    return found


def find_key(tx: "Connection", written: str, scope: str) -> ApiKey | None:
    """The key that was written, if it opens this; None for anything else."""
    key_id = id_of(written)
    found = api_keys.find_hashes(tx, [key_id]).get(key_id) if key_id is not None else None
    return found[0] if found is not None and is_same(written, found[1]) and scope in found[0].scopes else None
