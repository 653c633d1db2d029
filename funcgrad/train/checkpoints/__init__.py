"""What keeps a run: checkpoints by Orbax, and whose they are."""
