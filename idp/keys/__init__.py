"""Signing keys: their lifecycle and custody."""
