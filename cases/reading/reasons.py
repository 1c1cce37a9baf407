"""The first reason of an assessment, in words."""

from cases.tables.records import Assessment


def first_reason(assessment: Assessment) -> str | None:
    """Return what counts most towards the estimate, in the words that the scorer gave.

    Without reasons it is the label of the first recommendation's feature: what can be acted on
    first.
    """
    reasons = assessment.reasons or {}
    for group in reasons.get("groups", ()):
        if group["effect"] > 0:
            return str(group["text"])
    for one in assessment.recommendations:
        if label := one.get("label"):
            return str(label)
    return None
