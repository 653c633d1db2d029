"""What ``funcgrad check`` accepts and does."""
