"""Invented names from many countries, drawn with a seed."""

import random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_GIVEN = _words(
    "Aaliyah Adam Aiko Amara Ana Andrei Anna Arjun Beatriz Ben Carlos Chiara Chloé Daniel Diego "
    "Dilan Elena Elif Emeka Emma Fatima Finn Gabriel Grace Hana Hassan Ines Isaac Ivan Jada "
    "Jakub Jin João Julia Kaito Karim Katya Kofi Lan Lars Leila Liam Linh Luca Lucía Malik "
    "Maria Mateo Maya Mei Milan Mina Nadia Naomi Niamh Noah Nora Oleksandr Olga Omar Oscar "
    "Priya Quentin Rania Ravi Rosa Ruth Sami Sara Sofía Soren Tariq Theo Tomás Uma Victor Wei "
    "Xin Yara Yusuf Zainab Zoë "
)
_FAMILY = _words(
    "Abebe Acosta Adeyemi Ahmed Andersson Bakker Banerjee Barbosa Bauer Bianchi Boateng Brown "
    "Chen Costa Cruz Diallo Dubois Eriksen Fernández Fischer Garcia Gonzalez Haddad Hansen "
    "Hoang Ibrahim Ito Jensen Johnson Kamau Khan Kim Kowalski Kumar Lee Lefèvre Lopez Lund "
    "Mahmoud Martin Mbeki Mehta Meyer Moreau Müller Murphy Nakamura Nguyen Novak Nowak O-Brien "
    "Okafor Oliveira Osei Park Patel Pereira Petrov Popescu Rahman Reyes Rossi Sato Schmidt "
    "Shah Silva Singh Smith Sokolova Suzuki Tanaka Tran Van-Dijk Vargas Wang Weber Williams "
    "Wójcik Yilmaz Zhang Zhou "
)


def invent_names(number: int, seed: int) -> list[str]:
    """Return names of students; some occur twice, as in life."""
    # A demonstration has to look the same each time it is seeded.
    chance = random.Random(seed)  # noqa: S311
    return [f"{chance.choice(_GIVEN)} {chance.choice(_FAMILY)}" for _ in range(number)]
