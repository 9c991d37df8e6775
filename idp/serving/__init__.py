"""The server's processes: one that holds the port, and workers that answer."""
