"""Holds the cipher of WeChat callbacks to vectors reproduced elsewhere, and shows what it refuses."""

import base64
import struct
import sys
from pathlib import Path

import pytest

import sop_engine
from sop_engine.channels._wxcrypt import Cipher, NotTheirs, leaf_hash, read_xml
from sop_engine.core.errors import Refused

CORP = "ww6a112864f8022910"
KEY1 = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws"
FIRST = Cipher("kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", KEY1, CORP)
ECHO = "6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC/nIX3ZNt9w=="
SECOND = Cipher("kz7Yx62CH8SaLN", "cD0d7jx4tYvVtzqrmh3Dm3QFCXe6f8SlHoMtMh3qQEP", CORP)
SEALED = (
    "EUCt7xMcNiyASzZj0Hjc5yDjFQrCum6AfQ3ntHiUzjGQ51xieKmbvtrZ40/EcB2W/W8yH0n4Lqx48gJl/T9HD/R309I0P/r5pIZucK3lyEn48FYMr4YdE0QdL2jIJ3xkcXUr"
    "6uzefzCxG6lMvwpAJaOyVCzN7sRRw47njfxy5EIqU6R9ZBhlTzfdnhhOhK/nTwzrZX3SoGlXFA9OBeZ6ru1NWpXFk76x9DUMe0lcxPPiUqK8ctnQcYXSGUHVqC6DfG7E7mab"
    "0OmruNN8cBZY5d3dYOBA4OgaH55Q0AJmUpdT8vNiXpXx+6TxT3TIjySXpDrHVyrsb772aYywgg/Nu4kUmGkALwFZlzhjNegR7wDwb9lr4ERXsSSS8JZ8lbBmaQ3F2Tq584xo"
    "Pj5rIhXAF734ynm4no1g+SdHiNqR328="
)
THIRD = Cipher("testtoken", KEY1, "wwtest")
NOISE = b"0123456789abcdef"
MESSAGE = b"<xml><Event><![CDATA[test]]></Event></xml>"
OUTPUT = "hpDPjqSe+36BcxCAqQbN91UV9rBvdBb1cP1BFu+dy/LivPIYHKddMBq+VHZBnQ+XoW40XdmYf+BHy2NKg/yVhOjeHygq4IEiegnHg/YtqBgOXDJlnpvXT30fqvyFhxPy"
EVENT = (
    "<xml><ToUserName><![CDATA[wwtest]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName><CreateTime>1735787045</CreateTime>"
    "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[change_external_contact]]></Event>"
    "<ChangeType><![CDATA[add_external_contact]]></ChangeType><UserID><![CDATA[zhangsan]]></UserID>"
    "<ExternalUserID><![CDATA[{0}]]></ExternalUserID><State><![CDATA[s1]]></State><WelcomeCode><![CDATA[WC1]]></WelcomeCode></xml>"
)


def test_vector_1_an_echo_is_verified_and_decrypted() -> None:
    assert FIRST.signature("1583940690", "VHh7ymSeb0jc4lSb", ECHO) == "1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011"
    assert FIRST.decrypt(ECHO) == b"94966531020182955848408"


def test_vector_2_a_pushed_message_is_verified_and_decrypted() -> None:
    SECOND.check("f265ae551b1932727204c3d707628d01376a6940", "1583995625", "1584392382", SEALED)
    root = read_xml(SECOND.decrypt(SEALED))
    assert (root.findtext("MsgType"), root.findtext("Content"), root.findtext("MsgId")) == ("text", "x123", "2018405441")


def test_vector_3_a_message_is_encrypted_and_signed() -> None:
    assert THIRD.encrypt(MESSAGE, NOISE) == OUTPUT
    assert THIRD.signature("1735787045", "nonce1", OUTPUT) == "afe2b0498b35fa78677741bfd84fb1035b29f5c5"
    assert THIRD.decrypt(OUTPUT) == MESSAGE


def test_vector_4_plain_mode_signs_the_time_and_the_nonce_alone() -> None:
    plain = Cipher("testtoken", "", "wx1")
    assert not plain.encrypts
    assert plain.signature("1735787045", "nonce1") == "56157c28edc45323c2503248d9a518080bd651c9"


@pytest.mark.parametrize(
    ("customer", "key"),
    [
        ("wmAAAA0001", "2956fb4e24a95e29d5af87b886cfa20f4155bd7293080d102116b23012a7c0cb"),
        ("wmAAAA0002", "cc8d3913f5403b871b11216a1295c82f90c2849ca0894a4b071ca85d86b3b9ff"),
    ],
)
def test_vector_5_the_key_of_an_event_holds_every_leaf(customer: str, key: str) -> None:
    assert leaf_hash(read_xml(EVENT.format(customer).encode())) == key


def test_a_wrong_signature_is_refused() -> None:
    with pytest.raises(NotTheirs, match="signature"):
        SECOND.check("f265ae551b1932727204c3d707628d01376a6941", "1583995625", "1584392382", SEALED)
    with pytest.raises(NotTheirs, match="signature"):
        SECOND.check("张三", "1583995625", "1584392382", SEALED)


def test_a_message_for_another_receiver_is_refused() -> None:
    with pytest.raises(NotTheirs, match="another receiver"):
        Cipher("testtoken", KEY1, "wwother").decrypt(OUTPUT)


def test_a_length_beyond_the_message_is_refused() -> None:
    plain = NOISE + struct.pack(">I", 5000) + b"x" * 6
    pad = bytes([32 - len(plain) % 32]) * (32 - len(plain) % 32)
    sealed = base64.b64encode(THIRD._crypt(plain + pad, seal=True)).decode()
    with pytest.raises(NotTheirs, match="another receiver"):
        THIRD.decrypt(sealed)


@pytest.mark.parametrize("ending", [b"\x00" * 16, b"\x21" * 48, b"\x02\x03" * 8])
def test_a_padding_of_another_form_is_refused(ending: bytes) -> None:
    sealed = base64.b64encode(THIRD._crypt(b"x" * 64 + ending, seal=True)).decode()
    with pytest.raises(NotTheirs, match="padding"):
        THIRD.decrypt(sealed)


@pytest.mark.parametrize("sealed", ["", "====", "AAAA", "no base64!"])
def test_what_is_no_ciphertext_is_refused(sealed: str) -> None:
    with pytest.raises(NotTheirs):
        THIRD.decrypt(sealed)


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml/>',
        b"<!doctype x><xml/>",
        b'<xml><!ENTITY a "b"></xml>',
        b"<xml>" + b"x" * 70_000 + b"</xml>",
        '<!DOCTYPE x [<!ENTITY a "b">]><xml/>'.encode("utf-16"),
        b"<xml>",
        b"",
    ],
)
def test_a_body_that_is_too_large_or_declares_entities_is_never_parsed(body: bytes) -> None:
    with pytest.raises(NotTheirs):
        read_xml(body)


@pytest.mark.parametrize("key", ["short", KEY1[:-1], KEY1 + "A", "!" * 43])
def test_a_key_of_another_form_is_refused_when_the_channel_is_opened(key: str) -> None:
    with pytest.raises(Refused, match="43"):
        Cipher("t", key, "ww")


def test_without_the_extra_the_refusal_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in sys.modules if n.startswith("cryptography")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(Refused, match="'wechat'"):
        Cipher("t", KEY1, "ww")


def test_nothing_else_imports_the_package() -> None:
    root = Path(str(sop_engine.__file__)).parent
    found = [f.name for f in root.rglob("*.py") if "import cryptography" in (t := f.read_text("utf-8")) or "from cryptography" in t]
    assert found == ["_wxcrypt.py"]
