"""Where steering keeps what must survive: one interface, LMDB behind it by default."""
