"""The feature store: groups, views, training data and what is known about them."""
