"""The tokens: legible in both themes, and followed by drawings."""

import re

import pytest

from theme import tokens

# (what lies above, on what, least contrast): WCAG 2.2, 1.4.3 and 1.4.11.
PAIRS = [
    *((text, ground, 4.5) for text in ("ink", "soft") for ground in ("paper", "sheet", "quiet")),
    *(("accent", ground, 4.5) for ground in ("paper", "sheet", "accent-soft")),
    ("on-accent", "accent", 4.5),
    *(
        (tier, ground, 4.5)
        for tier in ("low", "moderate", "high")
        for ground in ("sheet", f"{tier}-soft")
    ),
    ("edge", "sheet", 3.0),
    *((name, "sheet", 3.0) for name in tokens.colours() if name.startswith("series-")),
]


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("above", "ground", "least"), PAIRS)
def test_every_pair_can_be_read(above: str, ground: str, least: float, theme: int) -> None:
    colours = tokens.colours()
    assert _contrast(colours[above][theme], colours[ground][theme]) >= least


def test_every_colour_of_the_stylesheet_is_a_token() -> None:
    assert len(tokens.colours()) == tokens.stylesheet().count("light-dark(")
    assert len(set(tokens.series())) == len(tokens.series()) == 11


def test_a_drawing_follows_the_theme_of_its_page() -> None:
    drawn = f'<path stroke="{tokens.light("series-2")}" fill="#123456"/><text fill="{tokens.light("ink").upper()}">'
    followed = tokens.follow_theme(drawn)
    assert followed == '<path stroke="var(--series-2)" fill="#123456"/><text fill="var(--ink)">'
    assert not re.search("series-1[01]?[^0-9)]", followed)
