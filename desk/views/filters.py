"""Filters of the worklist: from the address, to the address, and as a form."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlencode

from cases.casework.states import OPEN_STATES
from cases.reading.filters import Filters
from desk.forms import choices
from desk.i18n.words import Words
from desk.views.marks import TierWords
from desk.views.words_of_cases import state_label
from desk.views.worklist import FilterForm, Select

_LONGEST = 100
_STATES = frozenset(OPEN_STATES)


def filters_from(query: Mapping[str, str], user_id: int) -> Filters:
    """Read filters from the fields of an address; what is none of them is left out.

    Args:
        query: `q`, `programme`, `tier`, `state` (a state, `snoozed`, `closed` or `overdue`) and
            `owner` (`me` or `none`).
        user_id: Who `me` is.
    """
    state, owner = query.get("state", ""), query.get("owner", "")
    programme, tier = query.get("programme", "")[:64], query.get("tier", "")[:64]
    return Filters(
        owner=user_id if owner == "me" else None,
        unowned=owner == "none",
        states=(state,) if state in _STATES else (),
        tiers=(tier,) if tier else (),
        programmes=(programme,) if programme else (),
        text=query.get("q", "").strip()[:_LONGEST],
        overdue=state == "overdue",
        snoozed=state == "snoozed",
        closed=state == "closed",
    )


def query_of(filters: Filters, **more: str) -> str:
    """Write filters as the query of an address, `?…`; empty where there are none."""
    state = filters.states[0] if filters.states else ""
    state = "snoozed" if filters.snoozed else "closed" if filters.closed else state
    fields = {
        "q": filters.text,
        "programme": filters.programmes[0] if filters.programmes else "",
        "tier": filters.tiers[0] if filters.tiers else "",
        "state": "overdue" if filters.overdue else state,
        "owner": "none" if filters.unowned else "me" if filters.owner is not None else "",
        **more,
    }
    encoded = urlencode({name: value for name, value in fields.items() if value})
    return f"?{encoded}" if encoded else ""


def filters_of_query(encoded: str, user_id: int) -> Filters:
    """Read filters from the query of an address."""
    fields = parse_qs(encoded.removeprefix("?")[:2000], max_num_fields=20)
    return filters_from({name: values[0] for name, values in fields.items()}, user_id)


def filter_form(
    filters: Filters, action: str, programmes: Sequence[str], tiers: TierWords, words: Words
) -> FilterForm:
    """Return the filters as a form."""
    state = query_of(
        Filters(
            states=filters.states,
            overdue=filters.overdue,
            snoozed=filters.snoozed,
            closed=filters.closed,
        )
    ).removeprefix("?state=")
    owner = "none" if filters.unowned else "me" if filters.owner is not None else ""
    selects = (
        Select(
            "programme",
            words("Programme"),
            choices(
                [("", words("All programmes")), *((code, code) for code in programmes)],
                filters.programmes[0] if filters.programmes else "",
            ),
        ),
        Select(
            "tier",
            words("Tier"),
            choices(
                [("", words("All tiers")), *reversed(list(tiers.labels.items()))],
                filters.tiers[0] if filters.tiers else "",
            ),
        ),
        Select(
            "state",
            words("State"),
            choices(
                [
                    ("", words("Open")),
                    *((one.value, state_label(one, words)) for one in OPEN_STATES),
                    ("overdue", words("overdue")),
                    ("snoozed", words("snoozed")),
                    ("closed", words("closed")),
                ],
                state,
            ),
        ),
        Select(
            "owner",
            words("Owner"),
            choices(
                [("", words("Anyone")), ("me", words("Me")), ("none", words("No one yet"))], owner
            ),
        ),
    )
    encoded = query_of(filters)
    return FilterForm(action, filters.text, selects, bool(encoded), encoded)
