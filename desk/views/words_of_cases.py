"""Words for the domain's codes: states, reasons, contacts, verdicts. Supportive and exact."""

from cases.casework.notes import ContactType
from cases.casework.overrides import Verdict
from cases.casework.states import (
    CaseOutcome,
    CaseState,
    CloseReason,
    DismissReason,
    InterventionState,
    ReviewResult,
)
from desk.i18n.words import Words


def state_label(state: str, words: Words) -> str:
    """Return a case's state."""
    return {
        CaseState.NEW: words("new"),
        CaseState.SEEN: words("seen"),
        CaseState.CONTACTED: words("contacted"),
        CaseState.IN_SUPPORT: words("in support"),
        CaseState.WAITING: words("waiting"),
        CaseState.CLOSED: words("closed"),
    }[CaseState(state)]


def step_label(state: str, words: Words) -> str:
    """Return an intervention's state."""
    return {
        InterventionState.SUGGESTED: words("Suggested"),
        InterventionState.PLANNED: words("Planned"),
        InterventionState.UNDER_WAY: words("Under way"),
        InterventionState.DONE: words("Done"),
        InterventionState.DISMISSED: words("Dismissed"),
    }[InterventionState(state)]


def close_reasons(words: Words) -> list[tuple[str, str]]:
    """Return the reasons that a person may choose for closing."""
    return [
        (CloseReason.RESOLVED, words("The concern is resolved")),
        (CloseReason.NO_ANSWER, words("No answer after several attempts")),
        (CloseReason.DECLINED, words("The student does not want support")),
        (CloseReason.NOT_FITTING, words("The concern does not apply")),
        (CloseReason.REFERRED, words("Another office takes over")),
    ]


def close_label(reason: str | None, words: Words) -> str:
    """Return why a case was closed."""
    labels = dict(close_reasons(words)) | {
        CloseReason.DUPLICATE: words("Joined with another case"),
        CloseReason.LEFT: words("The student has left"),
        CloseReason.SUSPENDED: words("The enrolment is suspended"),
        CloseReason.OBJECTED: words("The student objects to being scored"),
    }
    return labels.get(reason or "", "")


def outcomes(words: Words) -> list[tuple[str, str]]:
    """Return how it may stand with a concern at closing."""
    return [
        (CaseOutcome.IMPROVED, words("Better")),
        (CaseOutcome.UNCHANGED, words("Unchanged")),
        (CaseOutcome.WORSE, words("Worse")),
        (CaseOutcome.UNKNOWN, words("Not known")),
    ]


def dismiss_reasons(words: Words) -> list[tuple[str, str]]:
    """Return the reasons that a person may choose for dismissing a step."""
    return [
        (DismissReason.NOT_FITTING, words("Does not fit this student")),
        (DismissReason.ALREADY_DONE, words("Done already")),
        (DismissReason.DECLINED, words("The student does not want it")),
        (DismissReason.WRONG_DATA, words("Rests on wrong data")),
        (DismissReason.NO_CAPACITY, words("No capacity")),
    ]


def contact_kinds(words: Words) -> list[tuple[str, str]]:
    """Return the ways of contact."""
    return [
        (ContactType.MEETING, words("meeting")),
        (ContactType.CALL, words("call")),
        (ContactType.MAIL, words("e-mail")),
        (ContactType.MESSAGE, words("message")),
        (ContactType.CLASS, words("talk in class")),
        (ContactType.LETTER, words("letter")),
        (ContactType.OTHER, words("other contact")),
    ]


def contact_label(kind: str, words: Words) -> str:
    """Return a way of contact; the stored word itself where it is another one."""
    return dict(contact_kinds(words)).get(kind, kind)


def verdicts(words: Words) -> list[tuple[str, str]]:
    """Return what may be said of a recommendation in one click."""
    return [
        (Verdict.HELPED, words("Helped")),
        (Verdict.NOT_FITTING, words("Does not fit")),
        (Verdict.ALREADY_DONE, words("Done already")),
        (Verdict.WRONG_DATA, words("Wrong data")),
    ]


def result_label(result: str | None, words: Words) -> str:
    """Return how the estimate moved after a step; a comparison, not its effect."""
    if result is None:
        return ""
    return {
        ReviewResult.IMPROVED: words("the estimate fell more than expected since then"),
        ReviewResult.UNCHANGED: words("the estimate moved as expected since then"),
        ReviewResult.WORSE: words("the estimate rose more than expected since then"),
    }[ReviewResult(result)]


def assignment_roles(words: Words) -> list[tuple[str, str]]:
    """Return in which role a person looks after a student."""
    return [
        ("tutor", words("personal tutor")),
        ("adviser", words("adviser")),
        ("coach", words("coach")),
        ("lecturer", words("lecturer")),
    ]
