"""The demonstration: people, accounts, rules, and a sandbox AWS that knows them."""
