"""Verifies and decrypts what WeChat and WeCom push: signatures, AES with their own padding, and the key by which a repeat is known."""

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Any
from xml.etree import ElementTree

from sop_engine.core.errors import Refused

MOST_READ = 64 * 1024
BLOCK = 32
_FORBIDDEN = (b"<!doctype", b"<!entity")


class NotTheirs(Exception):
    """A request whose signature, padding, length or receiver is not the provider's. Its text never holds what was sent."""


class Cipher:
    """The keys of one callback. `receiver`: the corporation's id, or the appid. Raises Refused for a key of another form."""

    def __init__(self, token: str, aes_key: str, receiver: str) -> None:
        self._token, self._receiver = token, receiver.encode()
        try:
            self._key = base64.b64decode(aes_key + "=", validate=True) if aes_key else b""
        except (binascii.Error, ValueError) as error:
            raise Refused("callback_key is no EncodingAESKey; it has 43 letters and digits.") from error
        if self._key and len(self._key) != BLOCK:
            raise Refused("callback_key is no EncodingAESKey; it has 43 letters and digits.")
        if self._key:
            _primitives()  # missing, it is told when the channel is opened and not with the first message

    @property
    def encrypts(self) -> bool:
        """Whether there is a key; without one, an Official Account speaks in plain mode."""
        return bool(self._key)

    def signature(self, timestamp: str, nonce: str, *encrypted: str) -> str:
        """The SHA-1 over the sorted parts, in hexadecimal; in plain mode nothing but the time and the nonce is signed."""
        return hashlib.sha1("".join(sorted([self._token, timestamp, nonce, *encrypted])).encode(), usedforsecurity=False).hexdigest()

    def check(self, signature: str, timestamp: str, nonce: str, *encrypted: str) -> None:
        """Raises NotTheirs unless the signature fits; the time it takes says nothing about it."""
        if not hmac.compare_digest(self.signature(timestamp, nonce, *encrypted).encode(), signature.encode()):
            raise NotTheirs("the signature does not fit")

    def decrypt(self, encrypted: str) -> bytes:
        """The message; raises NotTheirs where padding, length or receiver are wrong. The signature is checked before."""
        try:
            sealed = base64.b64decode(encrypted, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotTheirs("it is not base64") from error
        if not sealed or len(sealed) % 16:
            raise NotTheirs("it has no whole blocks")
        plain = _unpadded(self._crypt(sealed, seal=False))
        (length,) = struct.unpack(">I", plain[16:20])
        message, receiver = plain[20 : 20 + length], plain[20 + length :]
        if len(message) != length or not hmac.compare_digest(receiver, self._receiver):
            raise NotTheirs("it is meant for another receiver")
        return message

    def encrypt(self, message: bytes, noise: bytes) -> str:
        """The message as the provider sends it; `noise`: 16 random bytes."""
        plain = noise + struct.pack(">I", len(message)) + message + self._receiver
        pad = BLOCK - len(plain) % BLOCK
        return base64.b64encode(self._crypt(plain + bytes([pad]) * pad, seal=True)).decode("ascii")

    def _crypt(self, text: bytes, *, seal: bool) -> bytes:
        if not self._key:
            raise NotTheirs("it is encrypted, and the account has no callback_key")
        ciphers, algorithms, modes = _primitives()
        cipher = ciphers(algorithms.AES(self._key), modes.CBC(self._key[:16]))
        turn = cipher.encryptor() if seal else cipher.decryptor()
        done: bytes = turn.update(text) + turn.finalize()
        return done


def read_xml(body: bytes) -> ElementTree.Element:
    """The root of an XML body; raises NotTheirs above 64 KB, for anything that declares entities, and for what is no XML."""
    if len(body) > MOST_READ:
        raise NotTheirs("it is larger than 64 KB")
    if b"\x00" in body or any(word in body.lower() for word in _FORBIDDEN):  # a zero byte: UTF-16, in which these words look different
        raise NotTheirs("it declares entities")
    try:
        return ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise NotTheirs("it is no XML") from error


def leaf_hash(root: ElementTree.Element) -> str:
    """The key by which a repeat of an event is known: over every leaf, for sender and second are the same for many customers."""
    return hashlib.sha256("\n".join(sorted(_leaves(root, f"/{root.tag}"))).encode()).hexdigest()


def _leaves(element: ElementTree.Element, path: str) -> list[str]:
    if not len(element):
        return [f"{path}={element.text or ''}"]
    return [line for child in element for line in _leaves(child, f"{path}/{child.tag}")]


def _unpadded(plain: bytes) -> bytes:
    pad = plain[-1]
    if not 1 <= pad <= BLOCK or len(plain) < pad + 20 or plain[-pad:] != bytes([pad]) * pad:
        raise NotTheirs("its padding is wrong")
    return plain[:-pad]


def _primitives() -> tuple[Any, Any, Any]:
    # Imported here: the package is an extra, and only who takes callbacks needs it.
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher as Ciphers
        from cryptography.hazmat.primitives.ciphers import algorithms, modes
    except ImportError as error:
        raise Refused("callbacks of WeChat and WeCom are encrypted; install sop-engine with the extra 'wechat' to read them.") from error
    return Ciphers, algorithms, modes
