"""Taking over what other identity providers do with groups: AD FS claim rules, Okta's settings."""
