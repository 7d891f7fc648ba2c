"""Assets on this box: one pack a piece on one of its devices, and an index from URL path to bytes."""
