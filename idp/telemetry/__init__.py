"""What the server tells its operator: log lines, numbers, and whether it is ready."""
