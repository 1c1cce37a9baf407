"""What the tests of evaluation share."""

import pytest

from records.cohort import Cohort
from tests.training.small_cohort import small_cohort


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    """120 records, one for each student, of four intakes."""
    return small_cohort()
