"""The AWS query protocol: form fields in, XML out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from urllib.parse import parse_qsl

from lxml import etree

from idp.sandbox.refusal import AwsRefusal

NAMESPACES = {
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the account and partition, and the ARN if it is known (empty: nobody)."""

    account: str
    partition: str
    arn: str = ""
    user_id: str = ""


class Fields:
    """The fields of a query request."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    @classmethod
    def read(cls, body: bytes) -> Fields:
        """Read a form. Raises AwsRefusal for repeated fields or bytes that are no UTF-8."""
        try:
            pairs = parse_qsl(
                body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=2000
            )
        except ValueError:
            raise AwsRefusal("MalformedInput", "The request is not a form in UTF-8.") from None
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise AwsRefusal("MalformedInput", "A parameter is given twice.")
        return cls(fields)

    def get(self, name: str) -> str | None:
        """The field, or None when it isn't given."""
        return self._fields.get(name)

    def need(self, name: str) -> str:
        """The field. Raises AwsRefusal when it isn't given."""
        value = self._fields.get(name)
        if value is None:
            shown = name[:1].lower() + name[1:]
            raise AwsRefusal(
                "ValidationError",
                f"1 validation error detected: Value null at '{shown}' failed to satisfy "
                "constraint: Member must not be null",
            )
        return value

    def members(self, name: str) -> list[str]:
        """The values of name.member.1, name.member.2 and so on."""
        found: list[str] = []
        while (value := self._fields.get(f"{name}.member.{len(found) + 1}")) is not None:
            found.append(value)
        return found

    def tags(self, name: str = "Tags") -> dict[str, str]:
        """Tags by key. Raises AwsRefusal for a key that comes twice."""
        found: dict[str, str] = {}
        position = 1
        while (key := self._fields.get(f"{name}.member.{position}.Key")) is not None:
            if key in found or not 1 <= len(key) <= 128:
                raise AwsRefusal("InvalidInput", f"The tag key {key[:130]!r} can't be used.")
            found[key] = self._fields.get(f"{name}.member.{position}.Value", "")
            position += 1
        return found


def render_result(service: str, action: str, result: object) -> bytes:
    """The XML of a good answer; None for `result` leaves the result element out."""
    root = _root(f"{action}Response", service)
    if result is not None:
        _add(root, f"{action}Result", result)
    metadata = _child(root, "ResponseMetadata")
    _child(metadata, "RequestId").text = secrets.token_hex(16)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def render_error(service: str, refusal: AwsRefusal) -> bytes:
    """The XML of a refusal, as query services answer it."""
    root = _root("ErrorResponse", service)
    error = _child(root, "Error")
    _child(error, "Type").text = "Sender"
    _child(error, "Code").text = refusal.code
    _child(error, "Message").text = _printable(refusal.message)
    _child(root, "RequestId").text = secrets.token_hex(16)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _root(name: str, service: str) -> etree._Element:
    namespace = NAMESPACES.get(service, NAMESPACES["sts"])
    # lxml takes None for the default namespace; its type stubs don't know.
    return etree.Element(f"{{{namespace}}}{name}", nsmap=cast("dict[str, str]", {None: namespace}))


def _child(parent: etree._Element, name: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")


def _add(parent: etree._Element, name: str, value: object) -> None:
    if value is None:
        return
    element = _child(parent, name)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _add(element, key, inner)
    elif isinstance(value, datetime):
        element.text = f"{value:%Y-%m-%dT%H:%M:%SZ}"
    elif isinstance(value, list | tuple):
        for inner in value:
            _add(element, "member", inner)
    else:
        element.text = _printable(str(value))


def _printable(text: str) -> str:
    """Text that XML 1.0 can carry."""
    return "".join(character if _in_xml(character) else "\ufffd" for character in text)


def _in_xml(character: str) -> bool:
    if character in "\t\n\r":
        return True
    return (
        character >= " "
        and not "\ud800" <= character <= "\udfff"
        and (character not in "\ufffe\uffff")
    )
