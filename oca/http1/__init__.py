"""HTTP/1.1 for segments without sockets: bytes in, decisions out (RFC 9110, RFC 9112)."""
