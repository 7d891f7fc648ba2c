"""What players are told: playback answers, manifests made for one viewer, content steering, redirects."""
