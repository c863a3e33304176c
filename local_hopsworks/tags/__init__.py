"""Tags: names with JSON values."""
