"""Teach a network what to do without a source of data: copies of records with that source blanked.

A module or an institution may have no click log at all. A network that always saw one would read its
absence as absence meant in training; copies without the log teach it what the rest tells alone.
"""

from collections.abc import Sequence

import numpy as np

from training.data.targets import Examples


def with_masked_copies(
    examples: Examples, columns: Sequence[int], share: float, seed: int
) -> Examples:
    """Append copies of some examples in which the given features are missing throughout.

    Args:
        examples: Of the training part.
        columns: Positions of the features to blank together; none changes nothing.
        share: Of the examples that are copied, 0 to 1; drawn without replacement.
        seed: Of the draw.

    Returns:
        The examples, the copies behind them. Targets and weights are copied as they are; the mean
        of the weights stays 1.
    """
    count = round(share * len(examples.values))
    if not columns or not count:
        return examples
    chosen = np.sort(np.random.default_rng(seed).permutation(len(examples.values))[:count])
    blank = examples.values[chosen].copy()
    blank[:, :, list(columns)] = np.nan
    weight = np.concatenate([examples.weight, examples.weight[chosen]])
    return Examples(
        values=np.concatenate([examples.values, blank]),
        target=np.concatenate([examples.target, examples.target[chosen]]),
        weight=np.asarray(weight / max(float(weight.mean()), 1e-12), np.float32),
    )
