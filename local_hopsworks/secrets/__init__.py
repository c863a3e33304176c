"""Secrets of the user."""
