"""The search over a project."""
