"""Model deployments."""
