"""Proving who someone is: passwords, throttling, sessions."""
