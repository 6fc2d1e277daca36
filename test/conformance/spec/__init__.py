"""The wire format as docs/PROTOCOL.md has it, and nothing else."""
