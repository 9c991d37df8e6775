"""A sandbox that serves, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

from idp.sandbox.providers import SamlProvider, SamlProviders


@dataclass(frozen=True)
class RunningSandbox:
    address: str
    providers: SamlProviders

    def held(self, number: str, partition: str = "aws") -> SamlProvider | None:
        """The provider ExampleIdP of an account, looked up in the sandbox itself."""
        return self.providers.find(f"arn:{partition}:iam::{number}:saml-provider/ExampleIdP")
