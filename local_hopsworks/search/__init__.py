"""The search over names, descriptions, features, tags and keywords."""
