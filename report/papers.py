"""What the two source papers report, on data of their own that is not public.

References to print beside a run's figures, never targets: other students, other outcomes.
"""

# Paper A: accuracy, precision, recall, F1, in percent.
RISK = {
    "paper A: LSTM": (92.4, 91.8, 90.6, 91.2),
    "paper A: feed-forward ANN": (89.5, None, None, None),
    "paper A: random forest": (88.7, None, None, None),
    "paper A: SVM": (84.3, None, None, None),
}
# Paper B: MAE, RMSE, R².
SCORE = {
    "paper B: attention-LSTM": (4.12, 5.23, 0.94),
    "paper B: LSTM": (4.98, 6.12, 0.91),
    "paper B: DNN": (5.67, 7.34, 0.87),
    "paper B: SVM (RBF)": (6.85, 8.92, 0.81),
    "paper B: linear regression": (8.24, 10.56, 0.72),
}
# Paper B: mean absolute error by subject.
_NAMES = ("mathematics", "chinese", "english", "physics", "chemistry")
SUBJECTS = {
    f"paper B: {model}": dict(zip(_NAMES, errors, strict=True))
    for model, errors in {
        "attention-LSTM": (3.56, 4.23, 3.45, 4.78, 4.56),
        "LSTM": (4.12, 4.89, 3.98, 5.34, 5.12),
        "DNN": (4.87, 5.67, 4.56, 6.23, 5.89),
        "SVM (RBF)": (6.23, 7.15, 5.89, 7.65, 7.34),
        "linear regression": (7.85, 8.42, 7.21, 9.12, 8.76),
    }.items()
}
