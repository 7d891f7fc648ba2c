"""The steering service: knows every appliance and sends each viewer to the nearest one that can serve."""
