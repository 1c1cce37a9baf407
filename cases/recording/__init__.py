"""Values come in, are scored, and change cases: in two transactions with a queue between them."""
