"""Rules in, grants out: pure and explainable."""
