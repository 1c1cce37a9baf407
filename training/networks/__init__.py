"""Keras networks and their preprocessing layers."""
