"""Tables of students: formats, slices, checks and answers."""
