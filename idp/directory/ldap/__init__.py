"""People in an LDAP server."""
