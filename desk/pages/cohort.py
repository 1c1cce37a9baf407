"""The cohort page, and the students behind each of its numbers."""

from urllib.parse import urlencode

from starlette.responses import Response

from access.roles import Action
from desk import cohort_queries as cohorts
from desk.charts.stacked import histogram, tiers_over_time
from desk.context import Visit
from desk.forms import choices
from desk.pages.students import student_rows
from desk.queries import programmes_and_students
from desk.views.cohort import Chart, Cohort, Figure, Item, Listing
from desk.views.students import Students
from desk.views.worklist import Empty, Select

_STEPS = 20
_MOVED = 8


def show(visit: Visit) -> Response:
    """Show the cohort, or one programme of it."""
    words, facts, session = visit.words, visit.facts, visit.session
    scope = visit.scope(Action.VIEW_COHORTS)
    codes, students = programmes_and_students(session, scope)
    programme = _programme(visit, codes)
    tiers = list(facts.tiers.labels)
    now = cohorts.tiers_now(session, scope, programme)
    scored = sum(number for tier, number in now.items() if tier)
    view = Cohort(
        title=words("Cohort"),
        lead=words.many(
            "{count} student is enrolled now. Links lead to the students behind a number.",
            "{count} students are enrolled now. Links lead to the students behind a number.",
            sum(now.values()) if programme else students,
        ),
        action=visit.url("/cohort"),
        filters=(
            Select(
                "programme",
                words("Programme"),
                choices(
                    [("", words("All programmes")), *((code, code) for code in codes)], programme
                ),
            ),
        ),
        tiers=_figures(visit, now, programme),
        over_time=_over_time(visit, programme, tiers) if scored else None,
        distribution=_distribution(visit, programme) if scored else None,
        lists=(*_moved(visit, programme), _drivers(visit, programme), _coverage(visit, programme)),
        empty=None
        if scored
        else Empty(
            words("There are no estimates yet"),
            words("They appear here when a period has been recorded and assessed."),
        ),
    )
    return visit.page("cohort.html", view)


def show_tier(visit: Visit) -> Response:
    """Show the students in a tier, the highest estimate first."""
    words, scope = visit.words, visit.scope()
    codes, _ = programmes_and_students(visit.session, scope)
    programme = _programme(visit, codes)
    tier = visit.query.get("tier", "")[:64]
    page = cohorts.students_in_tier(
        visit.session,
        scope,
        programme,
        tier,
        limit=visit.desk.settings.page_size,
        after=visit.query.get("after"),
    )
    label = visit.facts.tiers.labels.get(tier, words("no estimate"))
    fields = {"tier": tier, "programme": programme, "after": page.next or ""}
    following = f"{visit.url('/cohort/students')}?{urlencode(fields)}" if page.next else ""
    view = Students(
        title=label,
        lead=words("Students in this tier now, the highest estimate first."),
        has_search=False,
        action="",
        query="",
        caption=words.many(
            "{count} student on this page", "{count} students on this page", len(page.rows)
        ),
        rows=student_rows(visit, page.rows, has_links=True),
        next_url=following,
        empty=Empty(words("No student found"), words("Nobody is in this tier now.")),
        may_assign=False,
        assign_action="",
    )
    return visit.page("students.html", view)


def _programme(visit: Visit, codes: list[str]) -> str:
    asked = visit.query.get("programme", "")
    return asked if asked in codes else ""


def _figures(visit: Visit, now: dict[str, int], programme: str) -> tuple[Figure, ...]:
    words, tiers = visit.words, visit.facts.tiers
    total = sum(now.values()) or 1
    figures = []
    for name in reversed(list(tiers.labels)):
        mark = tiers.mark(name)
        number = now.get(name, 0)
        query = urlencode({"tier": name, "programme": programme})
        url = f"{visit.url('/cohort/students')}?{query}"
        if mark is not None:
            figures.append(
                Figure(
                    mark,
                    words.number(number),
                    words("{share} of those enrolled", share=words.percent(number / total)),
                    url if visit.may(Action.VIEW_STUDENTS) else "",
                )
            )
    return tuple(figures)


def _over_time(visit: Visit, programme: str, tiers: list[str]) -> Chart | None:
    words, facts = visit.words, visit.facts
    scope = visit.scope(Action.VIEW_COHORTS)
    counts = cohorts.tiers_by_period(visit.session, scope, programme, tiers)
    if not counts:
        return None
    (first, begin), (last, end) = counts[0], counts[-1]
    sentence = words(
        "“{tier}”: {start} in {period} {first}, {end} in {period} {last}.",
        tier=facts.tiers.labels[tiers[-1]],
        start=words.percent(begin[-1] / (sum(begin) or 1)),
        end=words.percent(end[-1] / (sum(end) or 1)),
        first=first,
        last=last,
        period=facts.period_name,
    )
    wide, narrow = (
        tiers_over_time(
            counts,
            list(facts.tiers.labels.values()),
            period_name=facts.period_name,
            sentence=sentence,
            words=words,
            narrow=is_narrow,
        )
        for is_narrow in (False, True)
    )
    return Chart(words("Tiers over time"), wide, narrow)


def _distribution(visit: Visit, programme: str) -> Chart:
    words = visit.words
    scope = visit.scope(Action.VIEW_COHORTS)
    counts = cohorts.estimates(visit.session, scope, programme, _STEPS)
    bounds = [band.begins for band in visit.facts.bands[1:]]
    highest = sum(
        count for step, count in enumerate(counts) if bounds and (step + 0.5) / _STEPS >= bounds[-1]
    )
    sentence = words.many(
        "{count} student has an estimate above the highest bound.",
        "{count} students have an estimate above the highest bound.",
        highest,
    )
    wide, narrow = (
        histogram(counts, bounds, sentence=sentence, words=words, narrow=is_narrow)
        for is_narrow in (False, True)
    )
    return Chart(words("Estimates now"), wide, narrow)


def _moved(visit: Visit, programme: str) -> tuple[Listing, ...]:
    words, labels = visit.words, visit.facts.tiers.labels
    # Names are for those who may see students; others see how many moved in the tiers over time.
    if not visit.may(Action.VIEW_STUDENTS):
        return ()
    scope = visit.scope()
    listings = []
    for rose in (True, False):
        found = cohorts.moved(visit.session, scope, programme, rose=rose, limit=_MOVED)
        items = tuple(
            Item(
                one.name or str(one.student_id),
                words(
                    "{before} → {after}",
                    before=labels.get(one.before, one.before),
                    after=labels.get(one.after, one.after),
                ),
                visit.url(f"/students/{one.student_id}"),
            )
            for one in found
        )
        title = words("Rose a tier") if rose else words("Fell a tier")
        text = words("Since the last {period}, most first.", period=visit.facts.period_name)
        listings.append(Listing(title, text, items, words("Nobody.")))
    return tuple(listings)


def _drivers(visit: Visit, programme: str) -> Listing:
    words = visit.words
    found = cohorts.drivers(visit.session, visit.scope(Action.VIEW_COHORTS), programme)
    items = tuple(
        Item(label, words.many("{count} student", "{count} students", number), "")
        for label, number in found
    )
    return Listing(
        words("What counts most"),
        words("What comes first among the reasons of the highest estimates."),
        items,
        words("Nothing stands out."),
    )


def _coverage(visit: Visit, programme: str) -> Listing:
    words = visit.words
    scope = visit.scope(Action.VIEW_COHORTS)
    found = cohorts.coverage(visit.session, scope, programme, words.today)
    rows: list[tuple[str, int, dict[str, str] | None]] = [
        (words("Open cases"), found.open_cases, {}),
        (words("New, not yet seen"), found.new, {"state": "new"}),
        (words("Without any contact yet"), found.without_contact, None),
        (words("Without an owner"), found.without_owner, {"owner": "none"}),
        (words("Overdue"), found.overdue, {"state": "overdue"}),
    ]
    has_links = visit.may(Action.VIEW_STUDENTS)
    items = tuple(
        Item(
            label,
            words.number(number),
            f"{visit.url('/worklist')}?{urlencode(fields | {'programme': programme})}"
            if has_links and fields is not None
            else "",
        )
        for label, number, fields in rows
    )
    return Listing(
        words("Reached so far"), words("How far the work on open cases has come."), items, ""
    )
