"""`python -m sluice setup` and `run`: from nothing to a working Sluice. Not part of the plugin."""
