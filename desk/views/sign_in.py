"""Signing in."""

from dataclasses import dataclass

from desk.forms import FormState


@dataclass(frozen=True, slots=True)
class SignInView:
    """The page: a form for address and password, for a code, or a button for a one-time link.

    Attributes:
        link_secret: Secret of a one-time link; empty for the other forms.
        challenge: Of a sign-in whose password was right and that needs a code; empty otherwise.
        back: Path to show afterwards.
    """

    title: str
    text: str
    form: FormState
    back: str
    link_secret: str = ""
    challenge: str = ""
