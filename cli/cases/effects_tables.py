"""The effects of a term as tables for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from cases.effects.figures import Estimate
from cases.effects.report import EffectsReport


def effects_tables(report: EffectsReport) -> Iterator[Table]:
    """Yield tables: process first, then tier bounds, then choices."""
    process = report.process
    first = Table("process", "value", title="What was done")
    days = process.days_to_contact
    for name, value in (
        ("cases", f"{process.cases:,}"),
        ("with a contact", _share(process.coverage)),
        ("median days to it", "none" if days is None else f"{days:.1f}"),
        ("no answer", f"{process.no_answer:,}"),
        ("of nobody", f"{process.without_owner:,}"),
        ("interventions done", _share(process.share_done)),
        (f"students with outcome '{report.outcome}'", f"{report.students:,}"),
    ):
        first.add_row(name, value)
    yield first
    tiers = Table(
        "tier",
        "period",
        "effect just above the bound",
        "more contact there",
        "density",
        title="Tier bounds (regression discontinuity; for students close to the bound only)",
    )
    for tier in report.tiers:
        found = tier.estimate
        if found is None:
            tiers.add_row(tier.tier, str(tier.period), "too few students", "", "")
            continue
        density = found.density
        tiers.add_row(
            tier.tier,
            str(tier.period),
            _shown(found.effect),
            _shown(found.first_stage),
            f"{density.below} | {density.above}, p = {density.p_value:.2f}",
        )
    yield tiers
    choices = Table(
        "choice",
        "first less second",
        "drawn",
        "doubly robust",
        "difference",
        "detectable",
        title="Recommendations drawn among equals",
    )
    for choice in report.choices:
        estimate = choice.estimate
        choices.add_row(
            choice.choice,
            f"{choice.first} less {choice.second}",
            f"{choice.drawn[0]} | {choice.drawn[1]}",
            _shown(estimate.doubly_robust) if estimate else "too few students",
            _shown(estimate.difference) if estimate else "",
            f"{choice.detectable:.3f}",
        )
    yield choices


def _shown(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:+.3f} ({estimate.low:+.3f} to {estimate.high:+.3f})"


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.0%}"
