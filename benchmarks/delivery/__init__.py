"""The delivery worker beside nginx, other servers and the least that any server must do, in one run."""
