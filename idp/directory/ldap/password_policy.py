"""Password policies of LDAP servers (draft-behera-ldap-password-policy-11): why a bind failed."""

from __future__ import annotations

from idp.directory.ldap.connection import Answer
from idp.directory.ldap.failure import Refused

CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"

_ERRORS = {0: "expired", 1: "locked", 2: "must_change"}
_WARNING, _ERROR = 0xA0, 0x81

# RFC 4511 appendix A: what servers answer to the bind of an account that they don't let in.
_CONSTRAINT_VIOLATION = 19  # 389 Directory Server: too many wrong passwords
_NO_SUCH_OBJECT = 32
_INAPPROPRIATE_AUTHENTICATION = 48
_INVALID_CREDENTIALS = 49
_UNWILLING_TO_PERFORM = 53  # 389 Directory Server: account inactivated
_REASONS = {
    _CONSTRAINT_VIOLATION: "locked",
    _NO_SUCH_OBJECT: "unknown_user",
    _INAPPROPRIATE_AUTHENTICATION: "no_password",
    _INVALID_CREDENTIALS: "wrong_password",
    _UNWILLING_TO_PERFORM: "disabled",
}


def refusal_reason(answer: Answer) -> str:
    """The word for the audit row, "" if the person may come in.

    A password that has to be changed counts as refused, though servers say success to it: they
    would allow nothing but the change. Raises Refused for an answer that says neither yes nor no.
    """
    error = policy_error(answer.controls.get(CONTROL, b""))
    if answer.code == 0:
        return error
    if answer.code == _INVALID_CREDENTIALS and error:
        return error
    if answer.code in _REASONS:
        return _REASONS[answer.code]
    raise Refused(answer.code, answer.description, answer.message)


def policy_error(value: bytes) -> str:
    """The error of a PasswordPolicyResponseValue in BER: a word, "" for none or an unknown one.

    SEQUENCE { warning [0] CHOICE OPTIONAL, error [1] ENUMERATED OPTIONAL }, section 6.2. What
    can't be read counts as no error: the bind's result code decides then.
    """
    position = 2
    while position + 2 <= len(value):
        tag, length = value[position], value[position + 1]
        content = value[position + 2 : position + 2 + length]
        if tag == _ERROR and content:
            return _ERRORS.get(content[0], "")
        position += 2 + length
    return ""
