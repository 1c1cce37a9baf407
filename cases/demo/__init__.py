"""A simulated institution in mid-term, to try the desk with: invented people, real estimates."""
