"""What the appliance, the fill agent and steering share. Imports nothing else of ours."""
