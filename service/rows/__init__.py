"""JSON requests of single students and classes: bytes to arrays and back."""
