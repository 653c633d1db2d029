"""Side-by-side measurements of gradients; run them with ``python -m funcgrad.bench``."""
