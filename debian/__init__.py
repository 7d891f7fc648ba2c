"""Makes the Debian package: ``python -m debian``, or ``make deb``."""
