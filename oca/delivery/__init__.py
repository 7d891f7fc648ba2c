"""Delivery: sockets, workers and their supervisor."""
