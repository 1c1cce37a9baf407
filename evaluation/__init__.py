"""How well predictions do, whoever made them: figures, intervals, fairness. Fits nothing."""
