"""Dataset storage: the files and folders of a project."""
