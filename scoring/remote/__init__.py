"""A model process that several workers share."""
