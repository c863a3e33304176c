"""The REST half of the embedded Hopsworks: one module per service, each a set of routes."""
