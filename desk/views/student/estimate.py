"""What a student's page says of the estimate: over time, what changed, the forecast, what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from cases.reading.student import EnrolmentView, PeriodValues
from cases.tables.records import Assessment
from desk.charts.risk_line import Event, risk_line, risk_table
from desk.charts.scale import Table
from desk.charts.small import spark
from desk.facts import Facts
from desk.i18n.words import Words
from desk.views.reasons import value_text
from desk.views.student.page import History, RiskChart
from records.contract import Feature, Kind

_HISTORY = 8


def risk_chart(
    latest: Assessment, events: Sequence[Event], facts: Facts, words: Words
) -> RiskChart | None:
    """Return the estimate over time; None where no period has one."""
    points = [(int(point["period"]), float(point["risk"])) for point in latest.trajectory]
    if not points:
        return None
    sentence = _course(points, latest, facts, words)
    wide, narrow = (
        risk_line(
            points,
            facts.bands,
            events,
            maximum=facts.periods,
            period_name=facts.period_name,
            sentence=sentence,
            words=words,
            narrow=is_narrow,
        )
        for is_narrow in (False, True)
    )
    table = risk_table(points, facts.bands, events, period_name=facts.period_name, words=words)
    return RiskChart(wide, narrow, table)


def what_changed(view: EnrolmentView, facts: Facts, words: Words) -> tuple[str, ...]:
    """Return what is new since the period before, in sentences; nothing where that is not known."""
    latest, before, standing = view.latest, view.previous, view.standing
    if latest is None or standing is None:
        return ()
    if latest.probability is None:
        return (words("There is no estimate: too little was recorded so far."),)
    now = words.percent(latest.probability)
    if before is None or before.probability is None:
        return (words("The first estimate is {risk}.", risk=now),)
    was = words.percent(before.probability)
    period = f"{facts.period_name} {before.period}"
    whole = round((latest.probability - before.probability) * 100)
    if whole > 0:
        first = words(
            "The estimate rose from {was} to {now} since {period}.", was=was, now=now, period=period
        )
    elif whole < 0:
        first = words(
            "The estimate fell from {was} to {now} since {period}.", was=was, now=now, period=period
        )
    else:
        first = words("The estimate stayed at {now} since {period}.", now=now, period=period)
    sentences = [first]
    if latest.tier != before.tier and latest.tier is not None:
        label = facts.tiers.labels.get(latest.tier, latest.tier)
        sentences.append(words("By itself it would now be “{tier}”.", tier=label))
    new = {one["rule"] for one in latest.recommendations} - {
        one["rule"] for one in before.recommendations
    }
    labels = list(
        dict.fromkeys(
            str(one.get("label", ""))
            for one in latest.recommendations
            if one["rule"] in new and one.get("label")
        )
    )
    if labels:
        sentences.append(words("New to act on: {labels}.", labels=words.listing(labels)))
    return (" ".join(sentences),)


def forecasts(latest: Assessment, words: Words) -> tuple[str, ...]:
    """Return the forecast of the next scores with their intervals."""
    said = []
    for one in latest.forecast:
        unit, low, high = str(one.get("unit", "")), one.get("low"), one.get("high")
        value = value_text(one.get("value"), unit, words)
        if low is None or high is None:
            said.append(words("Forecast of the next score: about {value}.", value=value))
        else:
            said.append(
                words(
                    "Forecast of the next score: about {value}, most likely between {low} and {high}.",
                    value=value,
                    low=value_text(low, "", words),
                    high=value_text(high, unit, words),
                )
            )
    return tuple(said)


def histories(periods: Sequence[PeriodValues], facts: Facts, words: Words) -> tuple[History, ...]:
    """Return the recent values of each feature that was recorded."""
    shown = []
    for feature in facts.features.values():
        recorded = [
            (one.period, one.values[feature.name])
            for one in periods
            if one.values.get(feature.name) is not None
        ][-_HISTORY:]
        if recorded:
            shown.append(_history(feature, recorded, facts, words))
    return tuple(shown)


def gaps(
    periods: Sequence[PeriodValues], latest: Assessment | None, facts: Facts, words: Words
) -> tuple[str, ...]:
    """Return what is missing, and up to which period records reach."""
    said = []
    if periods:
        last = periods[-1].period
        said.append(
            words("Records reach up to {period} {number}.", period=facts.period_name, number=last)
        )
        missing = [
            feature.label
            for feature in facts.features.values()
            if feature.relative is None and periods[-1].values.get(feature.name) is None
        ]
        if missing:
            said.append(words("Not recorded there: {labels}.", labels=words.listing(missing)))
    else:
        said.append(words("Nothing has been recorded yet."))
    if latest is not None:
        share = (latest.observed or {}).get("share")
        if isinstance(share, int | float):
            said.append(
                words("{share} of what can be recorded is known.", share=words.percent(share))
            )
    return tuple(said)


def assessments_table(made: Sequence[Assessment], facts: Facts, words: Words) -> Table | None:
    """Return every assessment with the versions behind it, the newest first."""
    if not made:
        return None
    labels = facts.tiers.labels
    rows = tuple(
        (
            words.moment(one.made_at),
            str(one.period),
            words("no estimate") if one.probability is None else words.percent(one.probability),
            labels.get(one.tier or "", one.tier or ""),
            f"{one.model} {one.model_version}",
            f"{one.policy} {one.policy_version}",
        )
        for one in made
    )
    heads = (
        words("Made"),
        facts.period_name[:1].upper() + facts.period_name[1:],
        words("Estimate"),
        words("Tier"),
        words("Model"),
        words("Policy"),
    )
    return Table(heads, rows)


def _course(
    points: Sequence[tuple[int, float]], latest: Assessment, facts: Facts, words: Words
) -> str:
    (first, start), (last, end) = points[0], points[-1]
    name = facts.period_name
    if len(points) == 1:
        sentence = words(
            "{risk} in {period} {number}.", risk=words.percent(end), period=name, number=last
        )
    else:
        sentence = words(
            "From {start} in {period} {first} to {end} in {period} {last}.",
            start=words.percent(start),
            first=first,
            end=words.percent(end),
            last=last,
            period=name,
        )
    bound = next((band for band in reversed(facts.bands[1:]) if end >= band.begins), None)
    if bound is not None and latest.since is not None:
        sentence = sentence[:-1] + words(
            "; above {bound} since {period} {since}.",
            bound=words.percent(bound.begins),
            period=name,
            since=latest.since,
        )
    return sentence


def _history(
    feature: Feature, recorded: Sequence[tuple[int, Any]], facts: Facts, words: Words
) -> History:
    period, value = recorded[-1]
    text = words(
        "{value} in {period} {number}",
        value=value_text(value, feature.unit, words),
        period=facts.period_name,
        number=period,
    )
    if len(recorded) > 1:
        unit = "%" if feature.unit == "%" else ""
        before = value_text(recorded[-2][1], unit, words)
        text = words("{now}, {before} before", now=text, before=before)
    drawing = None
    if feature.kind is Kind.NUMERIC and len(recorded) > 1:
        values = [float(one) for _, one in recorded]
        low = feature.minimum if feature.minimum is not None else min(values)
        high = feature.maximum if feature.maximum is not None else max(values)
        drawing = spark(
            values, words("{label}, recent values", label=feature.label), low=low, high=high
        )
    return History(feature.label, drawing, text)


def advice_by_rule(latest: Assessment | None) -> Mapping[str, Mapping[str, Any]]:
    """Return the recommendations of an assessment by rule."""
    return {str(one["rule"]): one for one in (latest.recommendations if latest else [])}
