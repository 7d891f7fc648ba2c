"""Comparisons with other servers; each writes its figures to ``benchmarks/results``."""
