"""Figures of a search: history, importances, slices and parallel coordinates (as Optuna's)."""

from pathlib import Path
from typing import Any

import altair as alt
import optuna
from optuna.trial import FrozenTrial, TrialState

from theme import tokens

_LOSS = "validation loss"
_BLUE, _RED = tokens.series()[:2]
_PER_ROW = 3


def draw_search(study: optuna.Study, folder: Path) -> list[Path]:
    """Draw every figure that the finished trials give ground for, as SVG.

    Returns:
        The files written.
    """
    trials = [
        trial for trial in study.get_trials(states=[TrialState.COMPLETE]) if trial.value is not None
    ]
    charts = {"history": history(trials)}
    varied = [name for name in _names(trials) if len({str(t.params.get(name)) for t in trials}) > 1]
    if varied:
        charts["slices"] = slices(trials, varied)
        charts["parallel-coordinates"] = parallel_coordinates(trials, varied)
    if varied and len(trials) >= 4 and len({trial.value for trial in trials}) > 1:
        charts["importances"] = importances(study, varied)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, chart in charts.items():
        written.append(folder / f"{name}.svg")
        chart.save(written[-1])
    return written


def history(trials: list[FrozenTrial]) -> Any:
    """Draw each trial's loss and the best one so far."""
    rows: list[dict[str, Any]] = []
    best = float("inf")
    for trial in trials:
        best = min(best, trial.value or best)
        rows.append({"trial": trial.number, "loss": trial.value, "best": best})
    base = alt.Chart(alt.InlineData(rows), title="Losses in order", width=420, height=240)
    number = alt.X("trial:Q", axis=alt.Axis(tickMinStep=1, format="d"))
    loss = alt.Y("loss:Q", title=_LOSS, scale=alt.Scale(zero=False))
    points = base.mark_point(filled=True, color=_BLUE).encode(number, loss)
    line = base.mark_line(interpolate="step-after", color=_RED).encode(number, alt.Y("best:Q"))
    return points + line


def importances(study: optuna.Study, names: list[str]) -> Any:
    """Draw how much of the losses' variance each hyperparameter explains (fANOVA)."""
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)
    rows = [{"name": _words(name), "share": share} for name, share in found.items()]
    return (
        alt.Chart(alt.InlineData(rows), title="What matters", width=360, height=alt.Step(28))
        .mark_bar(color=_BLUE)
        .encode(
            alt.X("share:Q", title="share of the losses' variance (fANOVA)"),
            alt.Y("name:N", sort="-x", title=None),
        )
    )


def slices(trials: list[FrozenTrial], names: list[str]) -> Any:
    """Draw the loss against each hyperparameter by itself."""
    panels = [_slice(trials, name) for name in names]
    rows = [panels[at : at + _PER_ROW] for at in range(0, len(panels), _PER_ROW)]
    return alt.vconcat(*(alt.hconcat(*row, spacing=28) for row in rows), title="One by one")


def _slice(trials: list[FrozenTrial], name: str) -> Any:
    rows = [{"value": trial.params.get(name), "loss": trial.value} for trial in trials]
    across = alt.X("value:O", title=_words(name), axis=alt.Axis(labelAngle=0))
    if name == "learning_rate":
        ticks = sorted({float(trial.params[name]) for trial in trials if name in trial.params})
        axis = (
            alt.Axis(values=ticks, format=".2~g")
            if len(ticks) <= _PER_ROW * 2
            else alt.Axis(format=".1~e")
        )
        across = alt.X("value:Q", title=_words(name), scale=alt.Scale(type="log"), axis=axis)
    return (
        alt.Chart(alt.InlineData(rows), width=240, height=200)
        .mark_point(filled=True, color=_BLUE, opacity=0.7)
        .encode(across, alt.Y("loss:Q", title=_LOSS, scale=alt.Scale(zero=False)))
    )


def parallel_coordinates(trials: list[FrozenTrial], names: list[str]) -> Any:
    """Draw each trial as a line through its hyperparameters, darker the lower its loss."""
    places = {name: _places(trials, name) for name in names}
    rows = [
        {
            "trial": trial.number,
            "name": _words(name),
            "at": places[name][str(trial.params.get(name))],
            "loss": trial.value,
        }
        for trial in trials
        for name in names
    ]
    labels = [
        {"name": _words(name), "at": at, "text": text}
        for name in names
        for text, at in places[name].items()
        if len(places[name]) <= 8
    ]
    axis = alt.X("name:N", sort=[_words(n) for n in names], title=None, axis=alt.Axis(labelAngle=0))
    height = alt.Y("at:Q", axis=None, scale=alt.Scale(domain=[-0.05, 1.05]))
    colour = alt.Color(
        "loss:Q", title=_LOSS, scale=alt.Scale(scheme="viridis"), legend=alt.Legend(format=".4~g")
    )
    lines = (
        alt.Chart(alt.InlineData(rows), title="All together", width=alt.Step(150), height=280)
        .mark_line(opacity=0.7)
        .encode(axis, height, colour, detail="trial:N")
    )
    words = (
        alt.Chart(alt.InlineData(labels))
        .mark_text(align="left", dx=6, fontSize=11)
        .encode(axis, height, text="text:N")
    )
    return lines + words


def _places(trials: list[FrozenTrial], name: str) -> dict[str, float]:
    """Spread the values of one hyperparameter from 0 to 1, in their order."""
    values = {trial.params.get(name) for trial in trials}
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    last = max(len(ordered) - 1, 1)
    return {str(value): at / last for at, value in enumerate(ordered)}


def _names(trials: list[FrozenTrial]) -> list[str]:
    return list(dict.fromkeys(name for trial in trials for name in trial.params))


def _words(name: str) -> str:
    return name.replace("_", " ")
