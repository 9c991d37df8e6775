"""Kerberos: tickets that browsers show, and the keytab that opens them."""
