"""Explainers and simulators of a loaded bundle."""

from explain.questions import Predict
from explain.reasons.explainer import Explainer
from explain.what_if.simulator import Hidden, Simulator
from records.arrays import Floats, Ints
from scoring.runtime.scorer import Scorer
from scoring.students.relatives import Relatives


def predict_with(scorer: Scorer) -> Predict:
    """Return the risk graph of a loaded bundle as a function."""

    def predict(values: Floats, lengths: Ints) -> Floats:
        return scorer.score(values, lengths, forecast=False).risk

    return predict


def explainer_of(scorer: Scorer) -> Explainer:
    """Return the explainer of a loaded bundle."""
    bundle = scorer.bundle
    return Explainer(predict_with(scorer), bundle.contract, bundle.reference.typical)


def simulator_of(scorer: Scorer, hidden: Hidden) -> Simulator:
    """Return the simulator of a loaded bundle.

    Args:
        scorer: The bundle, loaded.
        hidden: What is not offered.
    """
    bundle = scorer.bundle
    return Simulator(
        predict_with(scorer),
        bundle.contract,
        bundle.reference.typical,
        relatives=Relatives.from_contract(bundle.contract, bundle.reference.relative),
        tiers=bundle.tiers,
        hidden=hidden,
    )
