"""What viewers feel of a fleet, by hundreds of players: ``viewer``, ``abr``, ``playback`` decide, locust does."""
