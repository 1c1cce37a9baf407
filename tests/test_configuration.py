"""The page on configuration names every setting of both processes, and no other."""

import re

from desk.settings import PREFIX as DESK
from desk.settings import Settings as DeskSettings
from service.settings import PREFIX as SERVICE
from service.settings import Settings as ServiceSettings
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "configuration.md").read_text(encoding="utf-8")


def test_the_page_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"^\| `(BELLWETHER_\w+)` \|", PAGE, re.MULTILINE))
    settings = {SERVICE + name.upper() for name in ServiceSettings.model_fields}
    settings |= {DESK + name.upper() for name in DeskSettings.model_fields}

    assert named == settings


def test_the_page_tells_the_defaults() -> None:
    for prefix, settings in ((SERVICE, ServiceSettings()), (DESK, DeskSettings())):
        for name, value in settings:
            row = re.search(rf"^\| `{prefix}{name.upper()}` \| ([^|]+) \|", PAGE, re.MULTILINE)
            assert row is not None, name
            shown = row[1].strip()
            if isinstance(value, bool):
                assert shown == f"`{str(value).lower()}`", name
            elif isinstance(value, int | float) and shown.startswith("`"):
                assert float(shown.strip("`")) == value, name
            elif isinstance(value, str) and value and shown.startswith("`"):
                assert shown == f"`{value}`", name
