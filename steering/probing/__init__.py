"""How steering sees for itself whether appliances deliver: probes of their ports, and what observers agree on."""
