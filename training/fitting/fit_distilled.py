"""Fit a distilled risk network: outcomes and a teacher's probabilities as one soft target.

Distillation (Hinton, Vinyals, Dean 2015, "Distilling the knowledge in a neural network"): an
outcome is one draw, and the teacher's out-of-fold probability (`training.fitting.teacher`) what it came
from, so a network can be larger and learn longer on it without learning the draws by heart.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from records.arrays import Floats
from training.data.masking import with_masked_copies
from training.data.prepare import Prepared
from training.data.targets import Examples, known_risk, risk_examples
from training.fitting.fit import seed_everything
from training.fitting.schedule import follow_schedule
from training.fitting.teacher import out_of_fold_risk
from training.model import FittedNetwork
from training.networks.backend import keras
from training.networks.distilled_network import MEMBERS, build_distilled_network
from training.networks.quantile_encoding import learn_edges
from training.networks.quantile_network import numbers_of
from training.settings import Distillation, NetworkPreset


def fit_distilled(
    prepared: Prepared,
    preset: NetworkPreset,
    settings: Distillation,
    seed: int,
    on_epoch: Callable[[int], None],
) -> FittedNetwork:
    """Fit for all epochs of the schedule, its learning rate falling as a cosine to zero.

    The validation part decides nothing; the history tells its loss, on outcomes alone.

    Raises:
        FitError: It diverged.
    """
    started = time.monotonic()
    train, validation = prepared.parts.train, prepared.parts.validation
    contract, schedule = train.contract, preset.schedule
    columns = prepared.columns("risk", settings.without)
    taught = out_of_fold_risk(train, columns, seed)
    edges = learn_edges(train, numbers_of(contract, columns), settings.intervals)
    seed_everything(seed)
    network = build_distilled_network(contract, prepared.statistics, edges, preset, columns=columns)
    periods = int(max(train.lengths.max(), validation.lengths.max()))
    examples, held = risk_examples(train, periods), risk_examples(validation, periods)
    used = known_risk(train)[:, :periods].any(axis=1)
    soft = _mixed(examples.target, taught[used, :periods], settings.share)
    fitted = keras.Model(network.input, network.get_layer(MEMBERS).output)
    history = follow_schedule(
        fitted,
        keras.losses.BinaryCrossentropy(from_logits=True),
        schedule,
        with_masked_copies(
            Examples(
                values=examples.values,
                target=_for_members(soft, settings),
                weight=early_first(examples.weight, settings.early),
            ),
            prepared.masked(settings.masked),
            settings.masked_share,
            seed,
        ),
        replace(held, target=_for_members(held.target, settings)),
        weight_decay=settings.weight_decay,
        classifies=True,
        on_epoch=on_epoch,
    )
    history = history.model_copy(update={"seconds": time.monotonic() - started})
    return FittedNetwork(keras=network, history=history, preset=preset)


def early_first(weight: Floats, power: float) -> Floats:
    """Let earlier periods count more: late steps are many, easy, and too late to act on.

    Args:
        weight: (records, periods), 0 where a step does not count.
        power: Period t counts t to the power of minus this.

    Returns:
        (records, periods) float32 of the same sum.
    """
    tilted = weight * (np.arange(weight.shape[1]) + 1.0) ** -power
    return np.asarray(tilted * (weight.sum() / max(tilted.sum(), 1e-12)), np.float32)


def _mixed(outcome: Floats, taught: Floats, share: float) -> Floats:
    """Mix outcomes with the teacher's probabilities where there are any."""
    soft = np.where(np.isnan(taught), outcome, taught)
    return np.asarray((1 - share) * outcome + share * soft, np.float32)


def _for_members(target: Floats, settings: Distillation) -> Floats:
    return np.repeat(target[:, :, None], settings.members, axis=2)
