"""Plays the receiver of a webhook: checks the signature itself, knows a key again, and answers as a script says."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

from tests.fakes.provider import Heard, Provider, Said, Taken, as_json

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver(Provider):
    """A system of the shop's own."""

    def __init__(self) -> None:
        super().__init__()
        self.throttled = as_json(503, {})

    def failed(self, code: str) -> Said:
        return Said(int(code), b"") if code.isdecimal() else as_json(200, {"status": "rejected", "code": code})

    def check(self, heard: Heard) -> Said | None:
        """The signature."""
        told = heard.headers
        signed = f"{told['webhook-id']}.{told['webhook-timestamp']}.".encode() + heard.body
        mine = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, hashlib.sha256).digest()).decode()
        return None if told["webhook-signature"] == f"v1,{mine}" else Said(401, b"")

    def take(self, heard: Heard) -> Said:
        key = heard.headers["webhook-id"]
        if key not in [one.key for one in self.log]:
            to = json.loads(heard.body)["data"]["to"]
            self.log.append(Taken(datetime.fromtimestamp(int(heard.headers["webhook-timestamp"]), UTC), key, to, f"r{len(self.log)}"))
        return as_json(200, {"status": "accepted", "id": key})
