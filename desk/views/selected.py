"""Something to be done with several cases or students: one form for all of them."""

from dataclasses import dataclass

from desk.forms import Choice, FormState


@dataclass(frozen=True, slots=True)
class Selected:
    """The page.

    Attributes:
        id_name: Name of the field that holds each of `ids`.
        names: Of the students, as a sentence.
        people: Who can be chosen; empty where there is none.
        roles: In which role a person is assigned; empty where that is not asked.
        asks_until: Whether a day and a reason are asked for.
    """

    title: str
    lead: str
    form: FormState
    action: str
    back: str
    id_name: str
    ids: tuple[int, ...]
    names: str
    button: str
    people_label: str = ""
    people: tuple[Choice, ...] = ()
    roles: tuple[Choice, ...] = ()
    asks_until: bool = False
    earliest: str = ""
