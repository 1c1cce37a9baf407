"""MIDFIELD files small enough to compute by hand what must come of them."""

from collections.abc import Mapping, Sequence

from tests.records.sources.raw_folder import Table

STUDENT = (
    "mcid,race,sex,institution,transfer,hours_transfer,age_desc,us_citizen,home_zip,high_school,"
    "sat_math,sat_verbal,act_comp"
)
TERM = (
    "mcid,term,cip6,institution,level,standing,coop,hours_term,hours_term_attempt,hours_cumul,"
    "hours_cumul_attempt,gpa_term,gpa_cumul"
)
DEGREE = "mcid,term_degree,cip6,institution,degree"


def student(name: str, institution: str = "B", background: str = "") -> str:
    """Write a row of the student table: `background` is from transfer to act_comp."""
    words = background or "First-Time in College,NA,Under 25,Yes,NA,NA,NA,NA,NA"
    return f"{name},White,Female,Institution {institution},{words}"


def terms(
    name: str,
    grades: Mapping[int, float | None],
    institution: str = "B",
    level: str = "01 First-year",
) -> list[str]:
    """Write the rows of the term table of a student with ordinary terms and these grades."""
    return [
        f"{name},{term},240102,Institution {institution},{level},Good Standing,No,15,15,15,15,"
        f"{'NA' if grade is None else grade},3.0"
        for term, grade in grades.items()
    ]


def degree(name: str, term: int) -> str:
    """Write a row of the degree table."""
    return f"{name},{term},240102,Institution B,Bachelor of Arts"


def tables(
    students: Sequence[str], term_rows: Sequence[str], degrees: Sequence[str]
) -> dict[str, Table]:
    """Put the header on each table."""
    return {
        "student": [STUDENT, *students],
        "term": [TERM, *term_rows],
        "degree": [DEGREE, *degrees],
    }


# Ann skips a fall term, fails a summer and changes her programme; Bob graduates, studies on and
# has the later degree first in the file; Cyd never enrolled; Dan had his degree before he came.
FILES: Mapping[str, Table] = tables(
    [
        student("ANN", "J", "First-Time Transfer,30,Under 25,Yes,01001,470,560,230,21"),
        student("BOB", "C"),
        student("CYD"),
        student("DAN"),
    ],
    [
        *terms("BOB", {20003: 3.5, 20001: 1.5, 20011: None, 20013: 4.0}, "C"),
        "ANN,20001,140101,Institution J,01 First-year,Good Standing,No,12,15,12,15,2.0,2.0",
        "ANN,20003,140101,Institution J,01 First-year,Academic Probation,No,3,9,15,24,1.0,1.6",
        "ANN,20013,520201,Institution J,02 Second-year,Academic Warning,Yes,6,6,21,30,3.0,2.0",
        (
            "ANN,20015,520201,Institution J,05 Fifth-year Plus,No Credit Courses Attempted,No,0,3,"
            "21,33,NA,2.0"
        ),
        "ANN,20021,NA,Institution J,02 Second-year,Academic Dismissal,No,9,9,30,42,1.9,2.0",
        *terms("DAN", {20001: 3.0}),
    ],
    [degree("BOB", 20013), degree("BOB", 20011), degree("DAN", 19993)],
)
