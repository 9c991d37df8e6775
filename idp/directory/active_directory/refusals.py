"""Why Active Directory refused a password, in the words of the audit trail."""

from __future__ import annotations

import re

# "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, v4563"
_DATA = re.compile(r"\bdata ([0-9a-fA-F]{1,8})\b")

# Windows error codes in hexadecimal ([MS-ERREF] 2.2). Windows and Samba say the ones marked * only
# to whoever has the right password; "locked" is said whatever the password. Samba says 52e for an
# unknown user, where Windows says 525.
REASONS = {
    "525": "unknown_user",
    "52e": "wrong_password",
    "52f": "restricted",  # *
    "530": "logon_hours",  # *
    "531": "workstation",  # *
    "532": "expired",  # *
    "533": "disabled",  # *
    "568": "too_many_groups",  # *
    "701": "account_expired",  # *
    "773": "must_change",  # *
    "775": "locked",
}


def reason_of(message: str) -> str:
    """The word for what the controller's message says; "refused" if it says nothing known."""
    found = _DATA.search(message)
    return REASONS.get(found[1].lower().lstrip("0"), "refused") if found else "refused"
