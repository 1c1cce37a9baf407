"""Every model of both papers and those beyond them, as rows of one table.

`MODELS` is what `bellwether models` lists, `train` chooses from and `compare` puts side by side. A
network is a row for each of the papers' architectures, with the papers' hyperparameters or, named
`…-large`, with those for long histories. Imports TensorFlow only when a network is fitted.
"""

import dataclasses
import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

from records.errors import BellwetherError
from training.baselines import boosting, naive
from training.baselines.estimators import RISK_ESTIMATORS, SCORE_ESTIMATORS, Estimator
from training.baselines.tabular import Tabular, fit_risk_tabular, fit_score_tabular
from training.data.parts import Parts
from training.data.prepare import Prepared
from training.model import Fit, Fitted, Model, OnEpoch, Target
from training.settings import (
    ARCHITECTURES,
    DISTILLED,
    HUBER,
    PRINTED_ADAM,
    QUANTILE,
    QUANTILE_MANY,
    RISK_NETWORKS,
    SCORE_NETWORKS,
    SIZES,
    SMALL,
    BaselineChoice,
    NetworkPreset,
)


class UnknownModelError(BellwetherError):
    """A name that is not in the registry, or one that cannot do what is asked of it."""


def model(target: Target, name: str) -> Model:
    """Look a model up.

    Raises:
        UnknownModelError: There is none of that name.
    """
    if (target, name) not in MODELS:
        names = [known for of, known in MODELS if of == target]
        near = difflib.get_close_matches(name, names, n=1)
        advice = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(names)}."
        raise UnknownModelError(f"no {target} model is named '{name}'; {advice}")
    return MODELS[target, name]


def network(target: Target, name: str) -> Model:
    """Look a model up that a run can hold and a bundle can serve.

    Raises:
        UnknownModelError: There is none of that name, or it is no network.
    """
    found = model(target, name)
    if not found.exportable:
        names = [known for (of, known), one in MODELS.items() if of == target and one.exportable]
        raise UnknownModelError(
            f"'{name}' is a baseline and cannot be exported; choose one of {', '.join(names)}, or "
            "let `bellwether compare` fit it."
        )
    return found


def baselines(target: Target, choice: BaselineChoice) -> list[Model]:
    """Choose what stands beside a network in its tables.

    Args:
        target: Of which models.
        choice: `usual`: naive rows and boosting; `papers`: those and the papers' own baselines;
            `all`: every model that is no network; `none`.
    """
    rows = [one for (of, _), one in MODELS.items() if of == target and not one.neural]
    if choice == "none":
        return []
    if choice == "usual":
        return [one for one in rows if one.usual]
    if choice == "papers":
        # Paper B's plain LSTM is a network, and a baseline there.
        lstm = [MODELS[target, "lstm"]] if target == "score" else []
        return [one for one in rows if one.usual or one.source != "beyond"] + lstm
    return rows


def fit_preset(
    prepared: Prepared, target: Target, preset: NetworkPreset, seed: int, on_epoch: OnEpoch
) -> Fitted:
    """Fit a network of any hyperparameters."""
    from training.fitting.fit_networks import fit_network  # noqa: PLC0415 - TensorFlow takes seconds

    return fit_network(prepared, target, preset, seed, on_epoch)


def _on_parts(fit: Callable[[Parts, int], Fitted | None]) -> Fit:
    return lambda prepared, seed, _on_epoch: fit(prepared.parts, seed)


def _naive(
    target: Target, name: str, summary: str, fit: Callable[[Parts, int], Fitted | None]
) -> Model:
    return Model(name, target, "naive", "beyond", summary, _on_parts(fit), usual=True)


def _boosting(
    target: Target,
    name: str,
    summary: str,
    fit: Callable[[Parts, int], Fitted | None],
    **hyperparameters: Any,
) -> Model:
    return Model(
        name,
        target,
        "boosting",
        "beyond",
        summary,
        _on_parts(fit),
        hyperparameters={**boosting.OPTIONS, **hyperparameters},
        usual=name == "boosting",
    )


def _tabular(target: Target, estimator: Estimator) -> Model:
    fit = fit_risk_tabular if target == "risk" else fit_score_tabular
    tabular = Tabular(
        estimator.make,
        most_steps=estimator.most_steps,
        standardised=estimator.standardised,
        epochs=estimator.epochs,
        patience=estimator.patience,
    )
    return Model(
        estimator.name,
        target,
        estimator.family,
        estimator.source,
        estimator.summary,
        _on_parts(partial(_tabular_fit, fit, tabular)),
        hyperparameters={
            **estimator.hyperparameters,
            "most_steps": estimator.most_steps,
            "epochs": estimator.epochs,
            "patience": estimator.patience,
        },
    )


def _tabular_fit(
    fit: Callable[[Parts, int, Tabular], Fitted | None], tabular: Tabular, parts: Parts, seed: int
) -> Fitted | None:
    return fit(parts, seed, tabular)


_ARCHITECTURE_WORDS = {
    "lstm": "LSTM",
    "stacked-lstm": "two LSTMs, one on the other",
    "attention-lstm": "multi-head attention, then an LSTM",
    "lstm-attention": "an LSTM, then multi-head attention",
    "self-attention": "multi-head attention alone",
}
# Where each architecture comes from; the papers' stacked LSTM is paper B's "adjustable layers".
_SOURCE = {"risk": {"lstm": "paper A"}, "score": dict.fromkeys(ARCHITECTURES, "paper B")}


def _network(target: Target, architecture: str, size: str, preset: NetworkPreset) -> Model:
    def fit(prepared: Prepared, seed: int, on_epoch: OnEpoch) -> Fitted:
        return fit_preset(prepared, target, preset, seed, on_epoch)

    words = _ARCHITECTURE_WORDS[architecture]
    large = size == "large"
    return Model(
        f"{architecture}-large" if large else architecture,
        target,
        "recurrent" if architecture != "self-attention" else "attention",
        "beyond" if large else _SOURCE[target].get(architecture, "beyond"),
        f"{words}, for many long, gappy histories" if large else words,
        fit,
        hyperparameters=preset.model_dump(exclude={"name"}),
        preset=preset,
    )


def _distilled() -> Model:
    def fit(prepared: Prepared, seed: int, on_epoch: OnEpoch) -> Fitted:
        return fit_preset(prepared, "risk", DISTILLED, seed, on_epoch)

    return Model(
        "distilled-lstm",
        "risk",
        "recurrent",
        "beyond",
        "LSTMs that boosted trees teach, on quantile-encoded features",
        fit,
        hyperparameters=DISTILLED.model_dump(exclude={"name"}),
        preset=DISTILLED,
    )


def _calibrated(name: str, preset: NetworkPreset) -> Model:
    """Make a row of what `train` makes of a network: the one that is served, calibrated.

    It has no preset: `train` calibrates by itself.
    """

    def fit(prepared: Prepared, seed: int, on_epoch: OnEpoch) -> Fitted:
        from training.fitting.serving_models import fit_calibrated  # noqa: PLC0415 - which asks this module

        _, calibrated, _ = fit_calibrated(prepared, preset, seed, lambda _stage: on_epoch)
        return calibrated

    return Model(
        name,
        "risk",
        "recurrent",
        "beyond",
        f"{name.removesuffix('-calibrated')} with calibrated probabilities, as it is served",
        fit,
        hyperparameters={**preset.model_dump(exclude={"name"}), "calibrated": True},
    )


def _all() -> dict[tuple[Target, str], Model]:
    rows = [
        _naive("risk", "base_rate", "the share at risk in the period", naive.risk_base_rate),
        _naive(
            "risk", "last_value", "the most telling feature's last value", naive.risk_last_value
        ),
        *(_tabular("risk", estimator) for estimator in RISK_ESTIMATORS),
        _boosting("risk", "boosting", "boosted trees, all periods", boosting.risk_boosting),
        _boosting(
            "risk",
            "boosting_by_horizon",
            "boosted trees, tuned for each horizon",
            boosting.risk_boosting_by_horizon,
            **boosting.GRID,
        ),
        _naive("score", "mean", "the mean score", naive.score_mean),
        _naive("score", "last_score", "the last score", naive.score_last),
        _naive("score", "mean_so_far", "the mean of the scores so far", naive.score_mean_so_far),
        *(_tabular("score", estimator) for estimator in SCORE_ESTIMATORS),
        _boosting("score", "boosting", "boosted trees, all periods", boosting.score_boosting),
        _boosting(
            "score",
            "boosting_by_horizon",
            "boosted trees, tuned for each horizon",
            boosting.score_boosting_by_horizon,
            **boosting.GRID,
        ),
    ]
    for size in SIZES:
        for architecture in ARCHITECTURES:
            risk, score = (table[architecture, size] for table in (RISK_NETWORKS, SCORE_NETWORKS))
            rows.append(_network("risk", architecture, size, risk))
            rows.append(_network("score", architecture, size, score))
    rows.append(_distilled())
    beyond = (
        ("printed-adam", PRINTED_ADAM, "fitted by Adam as paper B prints it"),
        ("small", SMALL, "of one head and few units"),
        ("huber", HUBER, "fitted by the Huber loss"),
        ("quantile", QUANTILE, "on quantile-encoded features"),
        ("quantile-many", QUANTILE_MANY, "on quantile-encoded features of many records"),
    )
    for name, preset, how in beyond:
        row = _network("score", "attention-lstm", "large", preset)
        summary = f"{_ARCHITECTURE_WORDS['attention-lstm']}, {how}"
        rows.append(
            dataclasses.replace(
                row, name=f"attention-lstm-{name}", source="beyond", summary=summary
            )
        )
    rows += [
        _calibrated("lstm-calibrated", RISK_NETWORKS["lstm", "papers"]),
        _calibrated("lstm-large-calibrated", RISK_NETWORKS["lstm", "large"]),
        _calibrated("distilled-lstm-calibrated", DISTILLED),
    ]
    return {(row.target, row.name): row for row in rows}


# (target, name) -> model, naive rows first and networks last.
MODELS = _all()
