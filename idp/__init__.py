"""A SAML 2.0 identity provider made for AWS."""

__version__ = "0.1.0"
