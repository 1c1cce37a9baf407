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
        provider: What people call the OpenID provider; empty where there is none.
        provider_url: Where signing in there begins.
    """

    title: str
    text: str
    form: FormState
    back: str
    link_secret: str = ""
    challenge: str = ""
    provider: str = ""
    provider_url: str = ""
