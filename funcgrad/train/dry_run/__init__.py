"""`funcgrad train --dry-run`: what a step costs on many devices, from the compiled program."""
