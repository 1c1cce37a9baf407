import re

from sqlalchemy import select

from cases.tables.people import Enrolment
from cases.tables.records import Standing
from tests.desk.institution import Institution, address, open_cases

_FIGURE = re.compile(
    r'<span class="figure">(\d+)</span> <span class="tier level-\d">'
    r"<svg.*?</svg><span[^>]*>([^<]+)</span>"
)


def _number(page: str, label: str) -> int:
    found = re.search(rf">{re.escape(label)}</(?:a|span)><span class=\"small\">([\d,]+)<", page)
    assert found is not None, label
    return int(found[1].replace(",", ""))


def test_numbers_of_the_cohort_are_those_of_the_students_behind_them(
    institution: Institution,
) -> None:
    with institution.running.desk.database.read() as session:
        found = session.execute(
            select(Standing.tier, Enrolment.student_id)
            .join(Enrolment, Enrolment.id == Standing.enrolment_id)
            .where(Enrolment.programme == "Nursing")
        ).all()
    with institution.running.signed_in(address("lead")) as lead:
        page = lead.get("/cohort").text
        shown = {label: int(number) for number, label in _FIGURE.findall(page)}
        for tier, label in institution.running.desk.facts.current().tiers.labels.items():
            students = [student for name, student in found if name == tier]
            assert shown[label] == len(students)
            behind = lead.get(f"/cohort/students?tier={tier}").text
            assert behind.count('class="name"') == len(students)


def test_links_of_open_cases_lead_to_as_many_cases(institution: Institution) -> None:
    with institution.running.signed_in(address("lead")) as lead:
        page = lead.get("/cohort").text
        number = _number(page, "Open cases")
        assert number
        listed = lead.get("/worklist").text
        assert listed.count('name="case"') == number


def test_an_auditor_sees_the_cohort_and_no_names(institution: Institution) -> None:
    with institution.running.signed_in(address("auditor")) as auditor:
        page = auditor.get("/cohort")
        assert page.status_code == 200
        assert "/students/" not in page.text
        assert "Okonkwo" not in page.text


def test_a_saved_view_remembers_who_entered_and_who_left(institution: Institution) -> None:
    case = next(one for one in open_cases(institution, "adviser") if one.origin == "person")
    with institution.running.signed_in(address("adviser")) as adviser:
        adviser.get("/worklist")
        answer = adviser.post("/views", name="Mine", filters="?state=new")
        assert answer.status_code == 303
        path = answer.headers["location"].split("?")[0]
        assert f"/students/{case.student_id}" in adviser.get(path).text
        assert "is in it" in adviser.get(path).text
        adviser.post(f"/students/{case.student_id}/contacts", kind="call", day="2026-11-20")
        row = adviser.get(path).text.split(f'href="/students/{case.student_id}"')[1]
        assert "is in it" not in row.split("</tr>")[0]
        assert "Mine" in adviser.get("/worklist").text
        with institution.running.signed_in(address("other")) as other:
            assert other.get(path).status_code == 404
        adviser.get(path)
        adviser.post(f"{path}/delete")
        assert adviser.get(path).status_code == 404


def test_a_view_without_a_name_is_not_saved(institution: Institution) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        adviser.get("/worklist")
        answer = adviser.post("/views", name=" ", filters="")
        assert answer.status_code == 422
        assert 'id="view-name-error"' in answer.text


def test_several_cases_are_assigned_and_snoozed_together(institution: Institution) -> None:
    cases = open_cases(institution, "other")[:2]
    with institution.running.signed_in(address("other")) as other:
        ids = [str(case.id) for case in cases]
        other.get("/worklist")
        page = other.post("/worklist/selected", case=ids, do="assign", back="/worklist?q=a")
        assert page.text.count('name="case"') == 2
        answer = other.post(
            "/worklist/assign",
            case=ids,
            person=str(institution.users["adviser"]),
            back="/worklist?q=a",
        )
        assert answer.headers["location"] == "/worklist?q=a&done=assigned"
        late = other.post("/worklist/snooze", case=ids, until="2020-01-01", reason="")
        assert late.status_code == 422
        until = institution.running.desk.now().date().replace(year=2027, month=1, day=4)
        other.post("/worklist/snooze", case=ids, until=until.isoformat(), reason="On leave.")
        listed = other.get("/worklist").text
        assert all(f'value="{one}"' not in listed for one in ids)
        assert f'value="{ids[0]}"' in other.get("/worklist?state=snoozed").text


def test_a_case_of_somebody_elses_student_cannot_be_assigned(institution: Institution) -> None:
    case = open_cases(institution, "other")[0]
    with institution.running.signed_in(address("adviser")) as adviser:
        adviser.get("/worklist")
        person = str(institution.users["adviser"])
        answer = adviser.post("/worklist/assign", case=str(case.id), person=person)
        assert answer.status_code == 404


def test_an_exported_list_holds_no_formulas(institution: Institution) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        answer = adviser.get("/worklist/export")
        assert answer.headers["content-type"].startswith("text/csv")
        lines = answer.text.splitlines()
        assert len(lines) > 1
        assert not re.search(r'(^|,)"?[=+@-]', answer.text, re.MULTILINE)


def test_unassigned_students_get_somebody(institution: Institution) -> None:
    with institution.running.signed_in(address("lead")) as lead:
        page = lead.get("/unassigned").text
        found = re.search(r'name="student" value="(\d+)"', page)
        assert found is not None
        assert "/students/" in page
        lead.post("/unassigned", student=found[1])
        answer = lead.post(
            "/unassigned/assign",
            student=found[1],
            person=str(institution.users["adviser"]),
            role="tutor",
        )
        assert answer.status_code == 303
        assert f'value="{found[1]}"' not in lead.get("/unassigned").text
    with institution.running.signed_in(address("administrator")) as administrator:
        # Enough to assign somebody; no pages of students.
        assert "/students/" not in administrator.get("/unassigned").text
