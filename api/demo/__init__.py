"""The demo: a synthetic district that comes to life in the terminal; only `run` is for others."""
