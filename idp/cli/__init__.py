"""The idp command, one file per command group."""
