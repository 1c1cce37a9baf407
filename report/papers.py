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
# Paper B: error of the attention-LSTM by subject.
SUBJECTS = {
    "mathematics": 3.56,
    "chinese": 4.23,
    "english": 3.45,
    "physics": 4.78,
    "chemistry": 4.56,
}
