"""What a page says after an action: fixed messages, so that an address can put no words on a page."""

from desk.i18n.words import Words


def done_message(key: str, words: Words) -> str:
    """Return the message of a key; empty for an unknown one."""
    messages = {
        "assigned": words("Assigned."),
        "snoozed": words("Snoozed. The cases come back on the day you chose."),
        "note": words("The note is saved."),
        "draft": words("The draft is saved. Only you can see it."),
        "contact": words("The contact is recorded."),
        "override": words("Your judgement is recorded and counts from now on."),
        "override-ended": words("The override has ended. The estimate counts again."),
        "step": words("The step is updated."),
        "feedback": words("Thank you. Your feedback is recorded."),
        "case": words("The case is updated."),
        "moved": words("The card is moved."),
        "view": words("The view is saved."),
        "view-deleted": words("The view is deleted."),
        "preferences": words("Saved."),
        "signed-out": words("You are signed out."),
    }
    return messages.get(key, "")
