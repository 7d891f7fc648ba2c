"""The box's own API, for its operator; never on the delivery port."""
