"""A throw-away certification authority, the same that the demonstration uses."""

from idp.demo.authority import Authority

__all__ = ["Authority"]
