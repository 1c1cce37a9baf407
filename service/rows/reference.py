"""The reference that a request names for the relative features to be filled in."""

from typing import Any

from records.errors import CohortError
from records.learnt.relative_reference import parse_reference
from scoring.results import BATCH, BUNDLE, ORIGINS, REQUEST, SENT
from scoring.students.intake import StudentBatch
from scoring.students.relatives import Relatives
from service.http.problems import refuse_field

# The default.
KEPT = ORIGINS[BUNDLE]
OWN = ORIGINS[BATCH]
AS_SENT = ORIGINS[SENT]
# References that a request names by a word.
WORDS = (KEPT, OWN, AS_SENT)


def refer(students: StudentBatch, reference: Any, relatives: Relatives | None) -> StudentBatch:
    """Fill in relative features from the reference of a request, before it is cut into slices.

    Args:
        students: All students of the request.
        reference: One of `WORDS`, or an object as `bellwether reference` writes it.
        relatives: Fills in; None where the contract has no relative feature.

    Returns:
        The same students; unchanged for 'bundle', to be filled in together with those of other requests.

    Raises:
        RequestError: 422, the reference is invalid or does not fit the contract.
    """
    if reference == KEPT:
        return students
    if reference == OWN:
        return students if relatives is None else relatives.fill_from_batch(students)
    if reference == AS_SENT:
        return students if relatives is None else relatives.leave(students)
    if not isinstance(reference, dict):
        message = (
            "`reference` must be 'bundle', 'batch', 'sent' or an object as `bellwether "
            "reference` writes it."
        )
        raise refuse_field("reference", "wrong_type", message)
    if relatives is None:
        message = "No feature of the contract is relative; omit `reference`."
        raise refuse_field("reference", "wrong_value", message)
    try:
        moments = parse_reference(reference, relatives.layout).moments(relatives.layout)
    except CohortError as error:
        message = f"`reference`: {error}"
        raise refuse_field("reference", "wrong_value", message) from None
    return relatives.fill_from(students, moments, REQUEST)
