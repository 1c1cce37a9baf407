"""Words for roles and for states of the domain."""

from access.roles import Role
from desk.i18n.words import Words


def role_label(role: Role, words: Words) -> str:
    """Return a role as people call it."""
    return {
        Role.VIEWER: words("Viewer"),
        Role.ADVISER: words("Adviser"),
        Role.LEAD: words("Programme lead"),
        Role.ADMINISTRATOR: words("Administrator"),
        Role.AUDITOR: words("Auditor"),
    }[role]
