"""How fast steering decides at the size of a large fleet."""
