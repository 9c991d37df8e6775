"""Every reason for which AWS would refuse a SAML response, told before AWS does."""
