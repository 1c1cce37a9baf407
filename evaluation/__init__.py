"""How well predictions do, from any model: figures, intervals, fairness. Fits nothing."""
