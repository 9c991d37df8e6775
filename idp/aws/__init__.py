"""AWS as a service provider: partitions, endpoints, attributes and their limits."""
