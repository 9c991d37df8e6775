"""Rotating signing keys in every AWS account, so that nobody is locked out."""
