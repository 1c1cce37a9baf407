import re

import pytest
from sqlalchemy import func, select

from access.audit.tables import AuditEntry
from tests.desk.institution import Institution, address, open_cases


def _views(institution: Institution) -> int:
    with institution.running.desk.database.read() as session:
        asked = select(func.count()).where(AuditEntry.action == "student.viewed")
        return session.scalar(asked) or 0


def test_the_worklist_shows_the_cases_of_ones_own_students_alone(institution: Institution) -> None:
    own, others = open_cases(institution, "adviser"), open_cases(institution, "other")
    assert own
    assert others
    with institution.running.signed_in(address("adviser")) as adviser:
        page = adviser.get("/worklist").text
        assert f"{len(own)} cases" in page
        for case in own:
            assert f'href="/students/{case.student_id}"' in page
        for case in others:
            assert f'href="/students/{case.student_id}"' not in page


def test_filters_in_the_address_narrow_the_list_and_stay_in_the_form(
    institution: Institution,
) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        page = adviser.get("/worklist?programme=Nursing&owner=none").text
        assert '<option value="Nursing" selected>' in page
        assert '<option value="none" selected>' in page
        assert "Computing ·" not in page
        assert adviser.get("/worklist?tier=no-such-tier").status_code == 200


def test_a_students_page_shows_the_estimate_its_course_and_steps(institution: Institution) -> None:
    case = open_cases(institution, "adviser")[0]
    with institution.running.signed_in(address("adviser")) as adviser:
        page = adviser.get(f"/students/{case.student_id}").text
        assert "What could help" in page
        assert re.search(r'<polyline class="line" points="[\d., ]+"', page)
        assert "Accept" in page
        assert "because" not in page.lower()


def test_every_view_of_a_student_is_in_the_audit_trail(institution: Institution) -> None:
    case = open_cases(institution, "adviser")[0]
    before = _views(institution)
    with institution.running.signed_in(address("adviser")) as adviser:
        adviser.get(f"/students/{case.student_id}")
        adviser.get(f"/students/{case.student_id}/together")
    assert _views(institution) == before + 2


def test_a_student_of_somebody_else_does_not_exist(institution: Institution) -> None:
    case = open_cases(institution, "other")[0]
    before = _views(institution)
    with institution.running.signed_in(address("adviser")) as adviser:
        assert adviser.get(f"/students/{case.student_id}").status_code == 404
        assert adviser.get("/students/999999").status_code == 404
        adviser.get("/worklist")
        answer = adviser.post(f"/students/{case.student_id}/notes", text="x", day="2026-11-01")
        assert answer.status_code == 404
    assert _views(institution) == before


def test_turned_to_the_student_the_page_has_no_tier_and_no_forms(institution: Institution) -> None:
    case = open_cases(institution, "adviser")[0]
    with institution.running.signed_in(address("adviser")) as adviser:
        adviser.get(f"/students/{case.student_id}")
        adviser.post(
            f"/students/{case.student_id}/notes",
            text="In confidence: a matter of health.",
            day="2026-11-01",
            restricted="yes",
        )
        own = adviser.get(f"/students/{case.student_id}").text
        assert "In confidence" in own
        turned = adviser.get(f"/students/{case.student_id}/together").text
        assert "In confidence" not in turned
        assert "restricted" not in turned
        for tier in institution.running.desk.facts.current().tiers.labels.values():
            assert tier not in turned
        assert turned.count("<form") == 2  # appearance and signing out


def test_a_step_is_accepted_done_and_stands_on_the_timeline(institution: Institution) -> None:
    case = next(one for one in open_cases(institution, "adviser") if one.state in {"new", "seen"})
    with institution.running.signed_in(address("adviser")) as adviser:
        path = f"/students/{case.student_id}"
        page = adviser.get(path).text
        number = re.search(r'name="number" value="(\d+)"', page)
        assert number is not None
        answer = adviser.post(f"{path}/steps", case=str(case.id), number=number[1], do="accept")
        assert answer.status_code == 303
        assert "Step agreed" in adviser.get(answer.headers["location"]).text
        adviser.post(f"{path}/steps", case=str(case.id), number=number[1], do="done")
        assert "Step done" in adviser.get(path).text


def test_a_contact_counts_as_work_on_the_case(institution: Institution) -> None:
    case = open_cases(institution, "adviser")[-1]
    with institution.running.signed_in(address("adviser")) as adviser:
        path = f"/students/{case.student_id}"
        adviser.get(path)
        answer = adviser.post(
            f"{path}/contacts", kind="call", day="2026-11-20", answered="yes", text="Talked."
        )
        assert answer.status_code == 303
        page = adviser.get(path).text
        assert "contacted" in page
        assert "Talked." in page


def test_what_is_wrong_with_a_form_stands_beside_its_field_and_in_a_summary(
    institution: Institution,
) -> None:
    case = open_cases(institution, "adviser")[0]
    with institution.running.signed_in(address("adviser")) as adviser:
        path = f"/students/{case.student_id}"
        adviser.get(path)
        answer = adviser.post(f"{path}/notes", text="", day="2999-01-01")
        assert answer.status_code == 422
        assert 'href="#note-text"' in answer.text
        assert 'id="note-day-error"' in answer.text
        assert 'value="2999-01-01"' in answer.text


def test_ones_own_tier_replaces_the_estimates_until_its_day(institution: Institution) -> None:
    case = open_cases(institution, "adviser")[1]
    tiers = list(institution.running.desk.facts.current().tiers.labels)
    with institution.running.signed_in(address("adviser")) as adviser:
        path = f"/students/{case.student_id}"
        adviser.get(path)
        answer = adviser.post(
            f"{path}/override", tier=tiers[0], reason="Away until May.", until="2999-01-01"
        )
        assert answer.status_code == 422  # too far away
        until = institution.running.desk.now().date().isoformat()
        adviser.post(f"{path}/override", tier=tiers[0], reason="Away until May.", until=until)
        page = adviser.get(path).text
        assert "Away until May." in page
        assert "own-tier" in page
        adviser.post(f"{path}/override", end="1")
        assert "own-tier" not in adviser.get(path).text


def test_a_viewer_sees_and_changes_nothing(institution: Institution) -> None:
    with institution.running.signed_in(address("viewer")) as viewer:
        page = viewer.get("/worklist")
        assert page.status_code == 200
        assert "Assign…" not in page.text
        student = institution.students[0]
        seen = viewer.get(f"/students/{student}")
        assert seen.status_code == 200
        assert "Accept" not in seen.text
        answer = viewer.post(f"/students/{student}/notes", text="x", day="2026-11-01")
        assert answer.status_code == 403


@pytest.mark.parametrize("query", ["q=%27%22%3C", "after=nonsense", "tier=%00", "q=" + "x" * 5000])
def test_odd_addresses_are_answered_calmly(institution: Institution, query: str) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        assert adviser.get(f"/worklist?{query}").status_code in {200, 422}
