"""Prove that an exported graph equals its Keras model."""
