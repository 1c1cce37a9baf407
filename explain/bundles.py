"""Explainers and simulators of a loaded bundle."""

from explain.checks import check_explanations, hidden_by
from explain.questions import Predict
from explain.reasons.explainer import Explainer
from explain.what_if.simulator import Hidden, Simulator
from records.arrays import Floats, Ints
from records.cohort import Cohort
from scoring.bundle.manifest import ExplanationChecks
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


def simulator_of(scorer: Scorer, hidden: Hidden | None = None) -> Simulator:
    """Return the simulator of a loaded bundle.

    Args:
        scorer: The bundle, loaded.
        hidden: What is not offered; None for what the export found to be misleading.
    """
    bundle = scorer.bundle
    if hidden is None:
        hidden = hidden_by(bundle.manifest.explanations)
    return Simulator(
        predict_with(scorer),
        bundle.contract,
        bundle.reference.typical,
        relatives=Relatives.from_contract(bundle.contract, bundle.reference.relative),
        tiers=bundle.tiers,
        hidden=hidden,
    )


def check_bundle(scorer: Scorer, heldout: Cohort) -> ExplanationChecks:
    """Check reasons and what-if of a loaded bundle on held-out records."""
    futures = simulator_of(scorer).futures
    return check_explanations(predict_with(scorer), explainer_of(scorer), futures, heldout)
