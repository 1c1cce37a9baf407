"""Fit the two networks that a run holds: a calibrated risk, and a score with intervals."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from records.learnt.calibration import Calibration
from records.learnt.intervals import Intervals
from training.data.prepare import Prepared
from training.fitting.calibration import learn_calibration, without_calibration
from training.fitting.calibration_data import held_out_records, predict_held_out
from training.fitting.intervals import learn_intervals, with_coverage
from training.model import Fitted, FittedNetwork, OnEpoch, Target
from training.settings import NetworkPreset, TrainingSettings

# Gives what is called after every epoch of the fit that the text names.
Epochs = Callable[[str], OnEpoch]


@dataclass(frozen=True, eq=False)
class Served:
    """What is served, and what it was before it was calibrated.

    Attributes:
        fitted: 'risk', calibrated, and 'score'.
        uncalibrated: The risk network as it was fitted.
        calibration: What lies between the two.
        intervals: Around the score network's forecasts, with their coverage on the test part.
    """

    fitted: dict[Target, Fitted]
    uncalibrated: Fitted
    calibration: Calibration
    intervals: Intervals

    @property
    def networks(self) -> dict[Target, FittedNetwork]:
        """The Keras side of both networks."""
        return {name: one.network for name, one in self.fitted.items() if one.network is not None}


def fit_served(prepared: Prepared, settings: TrainingSettings, epochs: Epochs) -> Served:
    """Fit both networks and learn what their outputs mean on records that they do not know.

    Raises:
        FitError: A network diverged.
    """
    from training.fitting.fit_networks import fit_network  # noqa: PLC0415 - TensorFlow takes seconds

    def fit(known: Prepared, stage: str) -> Fitted:
        return fit_network(known, "score", settings.score, settings.seed, epochs(stage))

    risk, served, calibration = fit_calibrated(
        prepared, settings.risk, settings.seed, epochs, calibrate=settings.calibrate
    )
    score = fit(prepared, "Fitting the score network")
    latest = predict_held_out(
        held_out_records(prepared)[-1:],
        score,
        lambda known, name: fit(known, f"Fitting the score network, {name}"),
    )
    test = prepared.parts.test
    return Served(
        fitted={"risk": served, "score": score},
        uncalibrated=risk,
        calibration=calibration,
        intervals=with_coverage(learn_intervals(latest[0]), score.predict(test), test),
    )


def fit_calibrated(
    prepared: Prepared, preset: NetworkPreset, seed: int, epochs: Epochs, *, calibrate: bool = True
) -> tuple[Fitted, Fitted, Calibration]:
    """Fit a risk network and calibrate its probabilities on held-out records.

    Without calibration the probabilities stay the network's own, as in paper A; held-out records
    then only show how they are spread, for tiers by capacity.

    Returns:
        The network as it was fitted, the same with its calibration behind it, and the calibration.

    Raises:
        FitError: A network diverged.
    """
    from training.fitting.fit_networks import as_fitted, fit_network  # noqa: PLC0415 - likewise
    from training.networks.calibration_layer import calibrated  # noqa: PLC0415 - TensorFlow takes seconds

    def fit(known: Prepared, stage: str) -> Fitted:
        return fit_network(known, "risk", preset, seed, epochs(stage))

    risk = fit(prepared, "Fitting the risk network")
    chosen = held_out_records(prepared)
    held_out = predict_held_out(
        chosen if calibrate else chosen[-1:],
        risk,
        lambda known, name: fit(known, f"Fitting the risk network, {name}"),
    )
    calibration = learn_calibration(held_out) if calibrate else without_calibration(held_out[-1])
    network = risk.network
    if network is None:
        raise TypeError("the risk model is no network")
    keras = calibrated(network.keras, calibration)
    return risk, as_fitted(replace(network, keras=keras)), calibration
