"""Projects and the login."""
