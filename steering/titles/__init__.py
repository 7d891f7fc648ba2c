"""What exists: packaged titles read, digested and kept in the catalogue."""
