"""The fleet console: what it shows of the fleet, in pages that stay small however large the fleet is."""
