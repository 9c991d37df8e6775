"""Active Directory: people by any of their names, groups nested as deep as they are."""
