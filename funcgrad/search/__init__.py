"""Search: random differentiable JAX programs, and what is done with them."""
