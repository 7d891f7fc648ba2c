"""What the appliance knows of itself and tells steering: health, serving state, contents, demand."""
