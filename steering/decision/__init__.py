"""The decision which appliances serve a viewer, in which order and why; its log, and making it again."""
