"""The protocol: responses, metadata, signatures. Imports nothing else of this project."""
