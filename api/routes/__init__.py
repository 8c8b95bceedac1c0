"""Queries over HTTP, one file per subject; every command goes through `api.commands`."""
