"""Identifiers of messages."""

import secrets


def new_id() -> str:
    """An NCName of 160 random bits (SAML core 1.3.4 asks for 128 or more)."""
    return "_" + secrets.token_hex(20)
