"""A service that depends on Bellwether, for tests of how the two talk to each other."""

# BentoML's decorators carry no types.
# mypy: disable-error-code="untyped-decorator"

from typing import Any

import bentoml

from service.app import Bellwether


@bentoml.service(name="caller", http={"host": "127.0.0.1"})
class Caller:
    """Asks Bellwether, and answers with what it has understood."""

    bellwether = bentoml.depends(Bellwether)

    @bentoml.api
    def ask(self, students: list[dict[str, Any]]) -> list[str]:
        """Return the digest of the bundle and the id of each student that was assessed."""
        answer = self.bellwether.score(students=students)
        return [self.bellwether.model().digest, *(one.id for one in answer.assessments)]
