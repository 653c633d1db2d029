"""`funcgrad train`: the course's training run as a command, on the course's data or one's own.

`options` and `optimizers` are imported by the command line at once and do without JAX; everything
else is reached from `command`.
"""
