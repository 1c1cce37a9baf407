"""The Grafana dashboard asks for nothing that the service does not show."""

import json
import re
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import REPOSITORY
from tests.service.asking import post, score, student

DASHBOARD = REPOSITORY / "deploy" / "grafana" / "bellwether.json"
SELECTOR = re.compile(r"\b(bellwether_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"by \(([^)]*)\)")


def targets() -> list[tuple[str, str]]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [(panel["title"], target["expr"]) for panel in panels for target in panel["targets"]]


@pytest.fixture(scope="module")
def samples(http: httpx.Client) -> dict[str, list[dict[str, str]]]:
    """Return the labels of every sample by its name, once all kinds of answers were given."""
    score(http, student(), student("s-2", [{"period": 1}]))
    post(http, b"{")
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(http.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(dict(sample.labels))
    return found


@pytest.mark.parametrize(("title", "query"), targets())
def test_every_query_finds_its_metric_and_labels(
    samples: dict[str, list[dict[str, str]]], title: str, query: str
) -> None:
    grouped = {name.strip() for group in GROUPING.findall(query) for name in group.split(",")}
    asked = SELECTOR.findall(query)
    assert asked, title
    for metric, matchers in asked:
        assert metric in samples, title
        fitting = [labels for labels in samples[metric] if fits(labels, matchers)]
        assert fitting, (title, matchers)
        assert grouped <= set(fitting[0]), (title, grouped)


def fits(labels: dict[str, str], matchers: str) -> bool:
    for name, relation, value in MATCHER.findall(matchers):
        same = bool(
            re.fullmatch(value, labels[name]) if relation == "=~" else labels[name] == value
        )
        if same is (relation == "!="):
            return False
    return True


def test_every_metric_of_ours_is_on_the_dashboard(
    samples: dict[str, list[dict[str, str]]],
) -> None:
    shown: Any = {re.sub(r"_(bucket|sum|count)$", "", name) for query in targets()
                  for name, _ in SELECTOR.findall(query[1])}  # fmt: skip
    ours = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for name in samples
        if name.startswith("bellwether_") and not name.endswith("_created")
    }
    assert ours <= shown
