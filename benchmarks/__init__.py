"""Measures of the engine, each beside its reference in the same run; no rule, no test."""
