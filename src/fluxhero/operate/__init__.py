"""What a person runs beside the daemon."""
