"""The HTTP API: its declaration, the endpoints of appliances and operators, and a client."""
