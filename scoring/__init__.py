"""From a bundle to assessments: pure, without HTTP, BentoML, a database or TensorFlow."""
