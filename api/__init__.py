"""The delivery of the engine: HTTP, command line, wiring; no rule of any case."""
