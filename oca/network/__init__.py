"""What the kernel knows of the box's network."""
