"""The appliance: serves video segments straight from its packs."""

__version__ = "0.1.0"
