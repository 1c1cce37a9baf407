"""Ids of students: matching, pseudonyms, columns that name persons."""
