"""Who may speak to steering, as what, how often; and who changed what."""
