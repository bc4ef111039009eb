"""What `make verify` compares; docs/verification.md is its page."""
