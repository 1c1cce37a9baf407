"""Admission, fair queueing and batching of requests on the event loop."""
