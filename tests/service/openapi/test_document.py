"""The description matches what the service does, and its examples are real."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from service import routes
from service.http.problems import TYPES
from service.openapi.document import OpenApiDocument, describe
from service.responder import Responder
from tests.service.asking import post, problem


@pytest.fixture(scope="module")
def described(http: httpx.Client) -> dict[str, Any]:
    """The description as the server sends it."""
    document: dict[str, Any] = http.get("/docs.json").json()
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def follow(document: dict[str, Any], reference: str) -> Any:
    node: Any = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def fits(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    """Check a value against what our schemas use of JSON Schema."""
    if "$ref" in schema:
        return fits(document, follow(document, schema["$ref"]), value)
    if "anyOf" in schema:
        return any(fits(document, option, value) for option in schema["anyOf"])
    kinds = schema.get("type", [])
    allowed = [TYPES_OF[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    if allowed and not any(type(value) in kind for kind in allowed):
        return False
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        return False
    if type(value) in TYPES_OF["number"]:
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return _inside(document, schema, value)


TYPES_OF: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}


def _inside(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        enough = len(value) >= schema.get("minItems", 0)
        return enough and all(fits(document, schema.get("items", {}), item) for item in value)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
        if others is False and not set(value) <= set(known):
            return False
        others = others if isinstance(others, dict) else {}
        return set(schema.get("required", [])) <= set(value) and all(
            fits(document, known.get(key, others), item) for key, item in value.items()
        )
    return True


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    found = set(references(described))

    assert found
    for reference in found:
        assert follow(described, reference) is not None


def test_every_operation_is_named_described_and_has_its_errors(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(described)]

    assert described["openapi"].startswith("3.1")
    assert len(set(names)) == len(names)
    for path, _, operation in operations(described):
        assert operation["summary"], path
        assert operation["tags"], path
        assert {"200", "405"} <= set(operation["responses"]), path
        for status, response in operation["responses"].items():
            assert re.fullmatch("[2-5][0-9]{2}", status)
            assert "$ref" in response or response["description"]


def test_every_answer_and_error_has_examples_that_fit_their_schema(
    described: dict[str, Any],
) -> None:
    checked = 0
    for path, _, operation in operations(described):
        for body in (
            operation.get("requestBody", {"content": {}}),
            *operation["responses"].values(),
        ):
            resolved = follow(described, body["$ref"]) if "$ref" in body else body
            for content in resolved["content"].values():
                examples = {name: one["value"] for name, one in content.get("examples", {}).items()}
                examples |= {"": content["example"]} if "example" in content else {}
                assert examples or path in ("/schema.json", "/docs.json")
                for name, example in examples.items():
                    # The one request that is there to show an error.
                    faulty = name == "partly" and "required" in body
                    assert fits(described, content["schema"], example) is not faulty, path
                    checked += 1
    assert checked > 40


def test_the_examples_of_score_are_what_the_service_answers(
    described: dict[str, Any], http: httpx.Client
) -> None:
    operation = described["paths"]["/score"]["post"]
    requests = operation["requestBody"]["content"]["application/json"]["examples"]
    answers = operation["responses"]["200"]["content"]["application/json"]
    for name, request in requests.items():
        answer = http.post("/score", json=request["value"])
        assert answer.json() == answers["examples"][name]["value"]
        assert fits(described, answers["schema"], answer.json())


def test_errors_that_really_occur_fit_the_described_shape(
    described: dict[str, Any], http: httpx.Client
) -> None:
    shape = described["components"]["schemas"]["ProblemDetails"]
    for body in (b"", b"[]", b'{"students": [1]}', b'{"students": [{"id": 1, "x": 2}]}'):
        assert fits(described, shape, problem(post(http, body)))


def test_every_described_path_is_there(described: dict[str, Any], http: httpx.Client) -> None:
    for path, method, _ in operations(described):
        assert http.request(method, path).status_code != 404, path


def test_every_feature_is_described_with_its_limits(
    described: dict[str, Any], http: httpx.Client
) -> None:
    properties = described["components"]["schemas"]["Period"]["properties"]
    for feature in http.get("/contract").json()["features"]:
        schema = properties[feature["name"]]
        assert schema["title"] == feature["label"]
        assert (schema["minimum"], schema["maximum"]) == (feature["minimum"], feature["maximum"])
        assert "null" in schema["type"]


def test_every_error_code_is_one_of_ours(described: dict[str, Any]) -> None:
    ours = {kind.code for kind in TYPES}
    for response in described["components"]["responses"].values():
        [content] = response["content"].values()
        for example in content["examples"].values():
            assert example["value"]["type"].rsplit(":", 1)[-1] in ours


def test_the_description_can_be_written_as_yaml(responder: Responder) -> None:
    """`bentoml build` writes it into the bento."""
    document = describe(responder)
    written = yaml.safe_load(yaml.dump(document))

    assert written == msgspec.json.decode(msgspec.json.encode(document.asdict()))
    assert isinstance(document, OpenApiDocument)


def test_the_description_lists_the_table_of_routes(described: dict[str, Any]) -> None:
    """But the index, which is the page again, and the files that the page loads."""
    listed = {(path, method.upper()) for path, method, _ in operations(described)}
    expected = {
        (route.path, method)
        for route in (*routes.OURS, *routes.BENTOML)
        if route is not routes.INDEX and route not in routes.ASSETS
        for method in route.methods
        if method != "HEAD"  # a GET without the body
    }
    assert listed == expected
