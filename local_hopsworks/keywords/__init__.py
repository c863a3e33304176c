"""Keywords: words by which feature groups, views and training data are found."""
