"""Makes extension modules of the modules that ``[tool.compiled]`` names, from the same sources: ``make compiled``."""
