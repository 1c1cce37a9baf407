"""A misspelling is recognised; a name with another number is another thing."""

import pytest

from records.suggest import similar_name

NAMES = ("attendance", "quiz", "quiz_2", "homework")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("atendance", "attendance"),
        ("quizz", "quiz"),
        ("quiz_1", None),
        ("quizz_2", "quiz_2"),
        ("quiz_22", None),
        ("2_quiz", "quiz_2"),
        ("homework1", None),
        ("age", None),
        ("", None),
    ],
)
def test_only_what_is_plausible_is_suggested(name: str, meant: str | None) -> None:
    assert similar_name(name, NAMES) == meant
