"""Every page of the desk: its path, its methods, the right that it needs, what answers it.

Tests generate each route for each role from this table; nothing else adds a page.
"""

from access.roles import Action
from desk.dispatch import Route
from desk.pages import (
    board,
    cohort,
    home,
    meeting,
    saved,
    selected,
    sign_in,
    student,
    student_actions,
    students,
    worklist,
)

PUBLIC_ROUTES: tuple[Route, ...] = (
    Route("/sign-in", ("GET",), None, sign_in.show, is_public=True),
    Route("/sign-in", ("POST",), None, sign_in.submit, is_public=True),
    Route("/sign-in/code", ("POST",), None, sign_in.code, is_public=True),
    Route("/sign-in/link/{secret}", ("GET",), None, sign_in.show_link, is_public=True),
    Route("/sign-in/link", ("POST",), None, sign_in.submit_link, is_public=True),
    Route("/sign-in/provider", ("GET",), None, sign_in.begin_at_provider, is_public=True),
    Route("/sign-in/provider/callback", ("GET",), None, sign_in.return_here, is_public=True),
    Route("/preferences", ("POST",), None, sign_in.preferences, is_public=True),
)
OWN_ROUTES: tuple[Route, ...] = (
    Route("/", ("GET",), None, home.show),
    Route("/sign-out", ("POST",), None, sign_in.sign_out),
)
WORKLIST_ROUTES: tuple[Route, ...] = (
    Route("/worklist", ("GET",), Action.VIEW_STUDENTS, worklist.show),
    Route("/worklist/news", ("GET",), Action.VIEW_STUDENTS, worklist.news),
    Route("/worklist/export", ("GET",), Action.CHANGE_CASES, worklist.export),
    Route("/views", ("POST",), Action.CHANGE_CASES, saved.save),
    Route("/views/{view}", ("GET",), Action.CHANGE_CASES, saved.show),
    Route("/views/{view}/delete", ("POST",), Action.CHANGE_CASES, saved.delete),
    Route("/worklist/selected", ("POST",), Action.CHANGE_CASES, selected.choose),
    Route("/worklist/assign", ("POST",), Action.CHANGE_CASES, selected.assign_all),
    Route("/worklist/snooze", ("POST",), Action.CHANGE_CASES, selected.snooze_all),
)
STUDENT_ROUTES: tuple[Route, ...] = (
    Route("/students", ("GET",), Action.VIEW_STUDENTS, students.search),
    Route("/students/{student}", ("GET",), Action.VIEW_STUDENTS, student.show),
    Route("/students/{student}/together", ("GET",), Action.VIEW_STUDENTS, student.show_together),
    Route("/students/{student}/meeting", ("GET",), Action.VIEW_STUDENTS, meeting.show_student),
    Route("/meeting", ("GET",), Action.VIEW_STUDENTS, meeting.show),
    Route("/cohort", ("GET",), Action.VIEW_COHORTS, cohort.show),
    Route("/cohort/students", ("GET",), Action.VIEW_STUDENTS, cohort.show_tier),
    Route("/board", ("GET",), Action.VIEW_STUDENTS, board.show),
    Route("/board", ("POST",), Action.CHANGE_CASES, board.move),
    Route("/unassigned", ("GET",), Action.CHANGE_ASSIGNMENTS, students.show_unassigned),
    Route("/unassigned", ("POST",), Action.CHANGE_ASSIGNMENTS, students.choose_person),
    Route("/unassigned/assign", ("POST",), Action.CHANGE_ASSIGNMENTS, students.assign),
)
ACTION_ROUTES: tuple[Route, ...] = (
    Route("/students/{student}/notes", ("POST",), Action.WRITE_NOTES, student_actions.write),
    Route("/students/{student}/contacts", ("POST",), Action.WRITE_NOTES, student_actions.contact),
    Route("/students/{student}/feedback", ("POST",), Action.WRITE_NOTES, student_actions.feedback),
    Route("/students/{student}/override", ("POST",), Action.CHANGE_CASES, student_actions.override),
    Route("/students/{student}/case", ("POST",), Action.CHANGE_CASES, student_actions.case),
    Route("/students/{student}/steps", ("POST",), Action.CHANGE_CASES, student_actions.steps),
)
ROUTES: tuple[Route, ...] = (
    *PUBLIC_ROUTES,
    *OWN_ROUTES,
    *WORKLIST_ROUTES,
    *STUDENT_ROUTES,
    *ACTION_ROUTES,
)
