"""A response as people have it at hand: a file, a form's body, a value out of developer tools."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote_plus

from idp.errors import IdpError

# AWS takes 100,000 characters; URL-encoding can make three of one, and a page has its own words.
LONGEST_INPUT = 400_000  # characters or bytes

_FIELD = re.compile(r"(?:^|[?&])SAMLResponse=(?P<value>[^&\s]*)")
_SHOWN_FIELD = re.compile(
    r"""(?:^|[\n{,])[ \t]{0,40}["']?SAMLResponse["']?:[ \t]{0,40}["']?(?P<value>[^\s"',]+)"""
)
_INPUT = re.compile(r"<input [^<>]*>", re.IGNORECASE)
_VALUE = re.compile(r'\bvalue="(?P<value>[^"]*)"')
_BASE64 = re.compile(r"[A-Za-z0-9+/=_\s-]+", re.ASCII)
_ENCODED = re.compile(r"[A-Za-z0-9+/=_%.~-]+", re.ASCII)


class BadInput(IdpError):
    """What was given can't be judged: it is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """The value of the form field SAMLResponse, and a phrase for the form it was found in."""

    value: str
    form: str


def read_pasted(data: bytes | str) -> Pasted:
    """Find the response in what was given. Raises BadInput.

    Taken are XML, base64, URL-encoded base64, the body of the form that is posted (or its one
    field, or the same as developer tools list it), and the HTML of the page that posts it. Whether
    the value found is good base64 is for the judge to say.
    """
    text = _as_text(data)
    if text.startswith("<"):
        return _of_markup(text)
    if field := _FIELD.search(text):
        return _of_form(field["value"])
    if field := _SHOWN_FIELD.search(text):
        return Pasted(field["value"], "the field SAMLResponse, as developer tools list it")
    if "%" in text and _ENCODED.fullmatch(text):
        return Pasted(unquote_plus(text), "URL-encoded base64")
    if _BASE64.fullmatch(text):
        joined = "".join(text.split())
        if joined != text:
            return Pasted(
                joined,
                "base64 in several lines (AWS refuses line breaks; taken out here, as copying "
                "makes them)",
            )
        return Pasted(text, "base64")
    raise BadInput(
        "This is not a SAML response: neither XML, nor base64, nor a form with a SAMLResponse.",
        "Give what the browser posts to AWS as SAMLResponse.",
    )


def repaired(value: str) -> str | None:
    """Standard base64 for a value that is not, None if there is nothing to mend.

    So that what is inside can still be judged when the encoding is all that stands in the way.
    """
    # A plus sign that was posted without URL-encoding arrives as a space.
    joined = "".join(value.strip().translate(str.maketrans(" -_", "++/")).split()).rstrip("=")
    mended = joined + "=" * (-len(joined) % 4)
    return mended if mended != value and _BASE64.fullmatch(mended) else None


def _as_text(data: bytes | str) -> str:
    if len(data) > LONGEST_INPUT:
        raise BadInput(
            f"This is longer than {LONGEST_INPUT:,} characters; no SAML response for AWS is.",
            "Give the response alone.",
        )
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8")
        except UnicodeDecodeError:
            raise BadInput("This is not text in UTF-8.", "Give XML or base64.") from None
    text = data.removeprefix("\ufeff").strip()
    if not text:
        raise BadInput("There is no response: nothing was given.", "Give XML or base64.")
    return text


def _of_markup(text: str) -> Pasted:
    for tag in _INPUT.findall(text):
        value = _VALUE.search(tag)
        if value and 'name="SAMLResponse"' in tag:
            return Pasted(unescape(value["value"]), "the field SAMLResponse of an HTML page")
    encoded = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return Pasted(encoded, "XML")


def _of_form(value: str) -> Pasted:
    # A browser always encodes "=" and "+", so a value without any "%" was decoded by a tool.
    if "%" not in value:
        return Pasted(value, "the form field SAMLResponse, decoded")
    return Pasted(unquote_plus(value), "the form field SAMLResponse, URL-encoded")
