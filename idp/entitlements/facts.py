"""What rules are held against: a person, and how and from where they came."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from idp.directory.person import Person
from idp.entitlements.names import name_key

# The words that sessions keep of how a person proved who they are.
FACTORS = ("password", "kerberos", "totp", "webauthn")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How and from where a person came; None is what nobody knows, as in a plan.

    `factors` are words such as "password", `address` is the client's IP address as text.
    """

    factors: frozenset[str] | None = None
    address: str | None = None


UNKNOWN = Circumstances()


@dataclass(frozen=True, slots=True)
class Facts:
    """A person with the keys by which rules find them, worked out once."""

    person: Person
    user_key: str
    group_keys: frozenset[str]
    group_names: tuple[str, ...]
    circumstances: Circumstances = UNKNOWN

    @classmethod
    def of(cls, person: Person, circumstances: Circumstances = UNKNOWN) -> Facts:
        """The facts about `person`."""
        names = tuple(dict.fromkeys(group.name for group in person.groups))
        keys = frozenset(map(name_key, names))
        return cls(person, name_key(person.username), keys, names, circumstances)


def client_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """The address, IPv4 also where it is written inside IPv6 (::ffff:10.0.0.1); None if unknown."""
    if text is None:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
