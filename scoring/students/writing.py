"""Write a cohort's records as the students that a request carries."""

from typing import Any

import numpy as np

from records.cohort import Cohort
from records.contract import Feature, Kind


def students_of(cohort: Cohort) -> list[dict[str, Any]]:
    """Write records as `scoring.students.intake.Intake` reads them: values of float32, exactly.

    Periods in which nothing was observed are left out, except the last one, which carries the
    length.
    """
    students: list[dict[str, Any]] = []
    for name, values, length in zip(cohort.ids, cohort.values, cohort.lengths, strict=True):
        periods: list[dict[str, Any]] = []
        for at in range(int(length)):
            features = {
                feature.name: _write(feature, value)
                for feature, value in zip(cohort.contract.features, values[at], strict=True)
                if not np.isnan(value)
            }
            if features or at == length - 1:
                periods.append({"period": at + 1, **features})
        students.append({"id": str(name), "periods": periods})
    return students


def _write(feature: Feature, value: np.float32) -> Any:
    if feature.levels:
        return feature.levels[int(value)]
    if feature.kind is Kind.FLAG:
        return bool(value)
    # The shortest text that is this float32: 82.3, not the 82.30000305175781 that float() gives.
    number = float(str(value))
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
