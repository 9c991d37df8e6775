"""The Web Browser SSO profile: from a session and a chosen role to a form that posts to the ACS."""
