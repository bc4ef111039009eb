"""Networks that are trained in approximate memory."""
