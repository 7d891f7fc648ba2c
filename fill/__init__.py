"""The fill agent: loads onto an appliance what steering planned for it, inside the fill window."""
