"""The design tokens as Python values: for drawings that are made without a browser."""

import re
from functools import cache
from importlib import resources

_COLOUR = re.compile(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);")


def stylesheet() -> str:
    """Return the tokens as CSS, to stand before a page's own rules."""
    return (resources.files("theme") / "tokens.css").read_text(encoding="utf-8")


@cache
def colours() -> dict[str, tuple[str, str]]:
    """Return each colour's name and its values in the light and the dark theme."""
    return {name: (light, dark) for name, light, dark in _COLOUR.findall(stylesheet())}


def light(name: str) -> str:
    """Return a colour of the light theme, such as `#1c2126`.

    Raises:
        KeyError: No colour has that name.
    """
    return colours()[name][0]


def series() -> list[str]:
    """Return the light theme's colours of data series, in their order."""
    return [values[0] for name, values in colours().items() if name.startswith("series-")]


def follow_theme(svg: str) -> str:
    """Replace light colours in an SVG by the tokens, so that it follows the page's theme.

    Args:
        svg: Drawn in the light theme's colours.
    """
    names = {values[0]: name for name, values in colours().items()}
    pattern = re.compile(rf'"({"|".join(names)})"', re.IGNORECASE)
    return pattern.sub(lambda found: f'"var(--{names[found[1].lower()]})"', svg)
