"""Demand that is past, hour by hour, in files that any engine can query."""
