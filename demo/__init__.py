"""The whole system on one machine: real processes, real video, a made-up day."""
