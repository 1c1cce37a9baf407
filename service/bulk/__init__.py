"""Whole tables of students over HTTP: `POST /score/bulk`."""
