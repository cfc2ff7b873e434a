"""The OpenAPI document, and Schemathesis's search for what does not keep to it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from serve_fakes import FakePredictor

from sentilab.serve import ServiceSettings, create_app

KEY = "a-key-of-more-than-16-characters"
LIMITS = {"text_characters": 60, "texts_per_request": 5}


def application(**changes: Any) -> Any:
    return create_app([FakePredictor()], ServiceSettings(**{**LIMITS, **changes}))


class Key:
    """Tells Schemathesis the key, so that it also looks at what happens without one."""

    def get(self, case: Any, context: Any) -> str:
        return KEY

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


def searched(app: Any, examples: int, mode: GenerationMode) -> set[int]:
    """Asks every address in ways that the document allows, or (negative) that it forbids.

    Gives the statuses that came of it.

    Schemathesis's own pytest plugin cannot be used: it does not work with this pytest.
    """
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    schema.auth()(Key)
    statuses: set[int] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode.is_negative and operation.method == "get" and not operation.path_parameters:
            continue  # nothing can be wrong with it

        @settings(
            max_examples=examples,
            suppress_health_check=list(HealthCheck),
            database=None,
            derandomize=True,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def search(case: Any) -> None:
            statuses.add(case.call_and_validate().status_code)

        search()
    return statuses


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_described(mode: GenerationMode) -> None:
    assert (200 if mode.is_positive else 422) in searched(application(), 30, mode)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_of_a_service_with_a_key_is_as_described(mode: GenerationMode) -> None:
    statuses = searched(application(keys=(KEY,)), 10, mode)
    assert (200 if mode.is_positive else 422) in statuses


def test_the_document_tells_of_limits_models_and_every_error() -> None:
    made = application(keys=(KEY,)).openapi()
    predict = made["paths"]["/v1/models/{name}/predict"]["post"]
    assert set(predict["responses"]) == {
        "200",
        "400",
        "401",
        "404",
        "408",
        "413",
        "415",
        "421",
        "422",
        "500",
        "503",
        "504",
    }
    (name,) = predict["parameters"]
    assert name["schema"]["enum"] == ["fake"]
    texts = predict["requestBody"]["content"]["application/json"]["schema"]["properties"]["texts"]
    assert (texts["minItems"], texts["maxItems"]) == (1, 5)
    assert texts["items"]["maxLength"] == 60
    assert predict["security"]
    for path, operations in made["paths"].items():
        for operation in operations.values():
            answers = operation["responses"].items()
            for status, answer in answers:
                assert answer["content"], (path, status)
                if status != "200":
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (path, status)
