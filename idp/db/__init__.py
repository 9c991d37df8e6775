"""Engine, transactions and models."""
