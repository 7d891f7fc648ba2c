"""A package, so that none of the same name in site-packages (sniffpy brings one) is taken for it."""
