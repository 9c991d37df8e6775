"""Conditions about how and from where a person came."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

from idp.entitlements.condition_words import one_of
from idp.entitlements.facts import Facts, client_address
from idp.errors import IdpError


class BadNetwork(IdpError):
    """Text that is not an IP network."""


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Read 10.0.0.0/8, 2001:db8::/32 or a single address. Raises BadNetwork."""
    try:
        network = ip_network(text)
    except ValueError:
        raise BadNetwork(f"{text[:80]!r} is not a network.", _advice(text)) from None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        # Mapped addresses are compared as the IPv4 addresses that they are.
        raise BadNetwork(f"{text!r} is IPv4 written as IPv6.", "Write it as IPv4: 10.0.0.0/8.")
    return network


def _advice(text: str) -> str:
    try:
        return f"Its address has bits beyond the mask: write {ip_network(text, strict=False)}."
    except ValueError:
        return "Write it like 10.0.0.0/8 or 2001:db8::/32."


@dataclass(frozen=True, slots=True)
class ProvedBy:
    """The person used one of these factors at sign-in.

    Where nobody knows which, it is not met; for a rule that denies (`doubt_counts`) it is.
    """

    factors: tuple[str, ...]
    doubt_counts: bool

    def met(self, facts: Facts) -> bool:
        """Any of the factors will do."""
        used = facts.circumstances.factors
        return self.doubt_counts if used is None else not used.isdisjoint(self.factors)

    def wanted(self) -> str:
        """In words."""
        return f"sign-in with {one_of(self.factors)}"

    def seen(self, facts: Facts) -> str:
        """What was used."""
        used = facts.circumstances.factors
        if used is None:
            return "no sign-in to look at"
        return f"sign-in with {' and '.join(sorted(used)) or 'nothing'}"

    def hint(self, facts: Facts) -> str:
        """How to say what is not known."""
        if facts.circumstances.factors is not None:
            return ""
        return f"would need one of them; try --factor {self.factors[0]}"


class FromNetwork:
    """The client's address lies in one of these networks; in doubt as `ProvedBy`."""

    def __init__(self, networks: tuple[str, ...], *, doubt_counts: bool) -> None:
        self.texts = networks
        self.networks = tuple(map(parse_network, networks))
        self.doubt_counts = doubt_counts

    def met(self, facts: Facts) -> bool:
        """IPv4 and IPv6 each by its own; an IPv4 address inside IPv6 is IPv4."""
        address = client_address(facts.circumstances.address)
        if address is None:
            return self.doubt_counts
        return any(address in network for network in self.networks)

    def wanted(self) -> str:
        """In words."""
        return f"an address in {one_of(self.texts)}"

    def seen(self, facts: Facts) -> str:
        """The address."""
        if facts.circumstances.address is None:
            return "no address to look at"
        return f"address {facts.circumstances.address}"

    def hint(self, facts: Facts) -> str:
        """How to say what is not known."""
        if facts.circumstances.address is not None:
            return ""
        first = next(iter(self.networks[0].hosts()), self.networks[0].network_address)
        return f"would need such an address; try --from-address {first}"
