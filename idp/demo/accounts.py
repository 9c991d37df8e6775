"""The AWS accounts of the demonstration."""

from idp.entitlements.account import Account

PROVIDER = "ExampleIdP"

ACCOUNTS = (
    Account("111122223333", "dev", "aws", PROVIDER),
    Account("222233334444", "staging", "aws", PROVIDER),
    Account("333344445555", "prod", "aws", PROVIDER),
    Account("444455556666", "china", "aws-cn", PROVIDER),
    Account("555566667777", "govcloud", "aws-us-gov", PROVIDER),
)
