"""HTTP in, plain calls out: one blueprint per journey."""
