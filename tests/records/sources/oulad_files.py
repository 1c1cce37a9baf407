"""Open University files small enough to compute by hand what must come of them."""

from collections.abc import Mapping

from tests.records.sources.raw_folder import Table

INFO = (
    "code_module",
    "code_presentation",
    "id_student",
    "gender",
    "region",
    "highest_education",
    "imd_band",
    "age_band",
    "num_of_prev_attempts",
    "studied_credits",
    "disability",
    "final_result",
)

# One presentation of 28 days. Student 1 stays; 2 leaves on day 10; 3 before the start; 4 comes on
# day 9 with a result carried over; 5 is called Withdrawn, but the date is missing.
FILES: Mapping[str, Table] = {
    "courses": ["code_module,code_presentation,module_presentation_length", "AAA,2013J,28"],
    "studentInfo": [
        ",".join(INFO),
        "AAA,2013J,1,M,Wales,HE Qualification,10-20,0-35,1,60,N,Pass",
        "AAA,2013J,2,F,Wales,HE Qualification,?,0-35,0,30,Y,Withdrawn",
        "AAA,2013J,3,F,Wales,HE Qualification,?,0-35,0,30,N,Withdrawn",
        "AAA,2013J,4,F,Wales,HE Qualification,90-100%,55<=,0,30,N,Fail",
        "AAA,2013J,5,F,Wales,HE Qualification,90-100%,55<=,0,30,N,Withdrawn",
    ],
    "studentRegistration": [
        "code_module,code_presentation,id_student,date_registration,date_unregistration",
        "AAA,2013J,1,-10,?",
        "AAA,2013J,2,-5,10",
        "AAA,2013J,3,-50,-3",
        "AAA,2013J,4,9,?",
        "AAA,2013J,5,?,?",
    ],
    "assessments": [
        "code_module,code_presentation,id_assessment,assessment_type,date,weight",
        "AAA,2013J,12,TMA,20,50",
        "AAA,2013J,10,TMA,5,40",
        "AAA,2013J,11,CMA,12,10",
        "AAA,2013J,13,Exam,?,100",
    ],
    "studentAssessment": [
        "id_assessment,id_student,date_submitted,is_banked,score",
        "10,1,4,0,80",
        "11,1,13,0,60",
        "12,1,19,0,70",
        "13,1,28,0,50",
        "10,2,8,0,30",
        "10,3,-20,0,30",
        "10,4,-1,1,55",
        "10,5,5,0,?",
        "12,5,13,0,90",
    ],
    "vle": [
        "id_site,code_module,code_presentation,activity_type,week_from,week_to",
        "8,AAA,2013J,forumng,?,?",
        "9,AAA,2013J,oucontent,?,?",
    ],
    # The log has entries on days 7, 14 and 28, none on day 21.
    "studentVle": [
        "code_module,code_presentation,id_student,id_site,date,sum_click",
        "AAA,2013J,1,9,-4,3",
        "AAA,2013J,1,9,2,5",
        "AAA,2013J,1,8,2,1",
        "AAA,2013J,1,9,7,2",
        "AAA,2013J,2,9,14,4",
        "AAA,2013J,4,9,28,6",
        "AAA,2013J,77,9,3,6",
        "AAA,2014J,1,9,21,6",
    ],
}
