"""Nights of demand replayed: forecasts, plans and pull-through caches side by side."""
