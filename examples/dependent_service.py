"""A service that depends on Bellwether: whom should the advising office call first?

Run it as `bentoml serve examples/dependent_service.py:Worklist --port 3001`; it starts Bellwether
too. Ask it with `bentoml.SyncHTTPClient("http://127.0.0.1:3001").first(students=[…])`.
"""

# BentoML's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

import bentoml
from pydantic import BaseModel

from service.app import Bellwether


class Call(BaseModel):
    """Whom to call, and about what."""

    id: str
    risk: float
    about: list[str]


@bentoml.service(name="worklist", http={"host": "127.0.0.1"})
class Worklist:
    """Orders students by what can be done for them."""

    bellwether = bentoml.depends(Bellwether)

    @bentoml.api
    def first(self, students: list[dict[str, Any]], most: int = 10) -> list[Call]:
        """List the students with recommendations, the highest estimated risk first."""
        answer = self.bellwether.score(students=students)
        calls = [
            Call(id=one.id, risk=one.risk, about=[advice.label for advice in one.recommendations])
            for one in answer.assessments
            if one.recommendations
        ]
        return sorted(calls, key=lambda call: call.risk, reverse=True)[:most]
