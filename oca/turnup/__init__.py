"""Turning a box up: writing its settings, and checking everything that serving viewers takes."""
