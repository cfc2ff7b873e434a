"""What each address answers, asked over a real socket."""

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from serve_fakes import FakeManifest, FakePredictor

KEY = "a-key-of-more-than-16-characters"

ODD = [
    "",
    " ",
    "\x00",
    "\x1b[31mred\x07\x08\x7f",
    "\u202eright to left\u202c",
    "🎬👩‍👩‍👧‍👦🇩🇪",
    "Ein schöner Film – wirklich!",
    "这部电影很好看",
    "كان الفيلم رائعاً",
    "e\u0301\u0301\u0301" * 50,
    "\ufeffbom",
    "\ufffe\uffff",
    "İSTANBUL ßẞ ΑΣ",
    "a\u2028b\u2029c\x85d",
    '{"texts": ["\\ud800"]}',
    "<script>alert(1)</script>",
]


BAD = [
    (b"", 400, "not_json"),
    (b"{", 400, "not_json"),
    (b'{"texts": ["\xff"]}', 400, "not_json"),
    (b'{"texts": ["\xed\xa0\x80"]}', 400, "not_json"),
    ('{"texts": ["a"]}'.encode("utf-16"), 400, "not_json"),
    (b'{"texts": ["a\nb"]}', 400, "not_json"),
    (b"[" * 100_000, 400, "not_json"),
    (b'{"texts": [NaN]}', 422, "invalid"),
    (b'{"texts": ["\\ud800"]}', 422, "invalid_text"),
    (b'{"texts": ["\\udc00x"]}', 422, "invalid_text"),
    (b'{"texts": ["\\ud83c\\ud800"]}', 422, "invalid_text"),
    (b"null", 422, "invalid"),
    (b"[]", 422, "invalid"),
    (b"{}", 422, "invalid"),
    (b'{"texts": []}', 422, "invalid"),
    (b'{"texts": "a"}', 422, "invalid"),
    (b'{"texts": [1]}', 422, "invalid"),
    (b'{"texts": [null]}', 422, "invalid"),
    (b'{"texts": ["a"], "secret": 1}', 422, "invalid"),
    (b'{"texts": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]}', 422, "text_too_long"),
    (b'{"texts": ["a", "b", "c", "d"]}', 422, "too_many_texts"),
    (b'{"texts": ["' + b" " * 200_000 + b'"]}', 413, "body_too_large"),
]


def test_each_text_gets_its_label_and_its_probabilities(serving: Callable[..., Any]) -> None:
    served = serving()
    texts = ["good film", "bad film", "w1 w2 w3 w4 w5 w6 w7 w8 w9 w10"]
    response = served.predict(*texts)
    assert response.status_code == 200
    content = response.json()
    assert content["model"] == "fake"
    for text, answer in zip(texts, content["answers"], strict=True):
        positive = served.predictor.positive(text)
        assert answer["probabilities"]["positive"] == pytest.approx(positive)
        assert answer["label"] == ("positive" if positive > 0.5 else "negative")
        assert answer["probability"] == answer["probabilities"][answer["label"]]
    assert [(one["words"], one["read"]) for one in content["answers"]] == [(2, 2), (2, 2), (10, 8)]


def test_an_explanation_has_the_texts_pieces(serving: Callable[..., Any]) -> None:
    served = serving()
    content = served.explain("good film").json()
    assert content["model"] == "fake"
    assert content["pieces"] == [{"text": "good film", "weight": 2.0}]
    assert content["side"] == "positive"
    assert served.explain("  ").json()["pieces"] == [{"text": "  ", "weight": None}]


def test_models_their_manifests_and_cards_are_told(serving: Callable[..., Any]) -> None:
    served = serving(FakePredictor(), FakePredictor(FakeManifest(name="other")))
    models = served.client.get("/v1/models").json()["models"]
    assert [one["name"] for one in models] == ["fake", "other"]
    assert models[0] == {
        "name": "fake",
        "labels": ["negative", "positive"],
        "family": "mlp",
        "length": 8,
        "temperature": 1.5,
        "threshold": 0.5,
        "engine": "a fake, for tests",
    }
    assert served.client.get("/v1/models/other").json()["encoding"]["length"] == 8
    card = served.client.get("/v1/models/other/card")
    assert card.headers["content-type"] == "text/markdown; charset=utf-8"
    assert card.text == "# A fake\n"


def test_of_two_models_with_one_name_both_can_be_asked(serving: Callable[..., Any]) -> None:
    served = serving(FakePredictor(), FakePredictor())
    assert served.predict("good", model="fake-2").json()["model"] == "fake-2"


def test_odd_texts_are_answered(serving: Callable[..., Any]) -> None:
    served = serving()
    for text in ODD:
        assert served.predict(text).status_code == 200, text
        explained = served.explain(text)
        assert explained.status_code == 200, text
        assert "".join(one["text"] for one in explained.json()["pieces"]) == text


def test_a_megabyte_without_a_space_is_answered_or_refused_clearly(
    serving: Callable[..., Any],
) -> None:
    text = "x" * 2**20
    refused = serving().predict(text)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "text_too_long")
    served = serving(text_characters=2**20)
    assert served.predict(text).json()["answers"][0]["words"] == 1
    assert served.explain(text).status_code == 200


def test_bad_bodies_are_refused_with_their_reasons(serving: Callable[..., Any]) -> None:
    served = serving(text_characters=40, texts_per_request=3, body_bytes=150_000)
    for body, status, code in BAD:
        response = served.client.post(
            "/v1/models/fake/predict", content=body, headers={"content-type": "application/json"}
        )
        found = response.status_code, response.json()["error"]["code"]
        assert found == (status, code), body[:100]
        assert "secret" not in response.text
    assert served.predict("good").status_code == 200


def test_a_body_is_measured_as_it_comes_and_not_by_what_it_says(
    serving: Callable[..., Any],
) -> None:
    served = serving(body_bytes=1_000)
    response = served.client.post(
        "/v1/models/fake/predict",
        content=(b" " * 400 for _ in range(50)),  # sent in chunks, without a length
        headers={"content-type": "application/json"},
    )
    assert response.status_code == 413
    assert served.service.bodies.held == 0


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_was_said(
    serving: Callable[..., Any],
) -> None:
    import socket

    served = serving(body_seconds=0.05)
    with socket.create_connection(("127.0.0.1", served.address.port)) as slow:
        slow.sendall(
            b"POST /v1/models/fake/predict HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        slow.settimeout(30)
        said = b"".join(iter(lambda: slow.recv(4096), b""))
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b"body_too_slow" in said


def test_another_content_type_is_refused(serving: Callable[..., Any]) -> None:
    served = serving()
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        response = served.client.post(
            "/v1/models/fake/predict", content=b'{"texts":["a"]}', headers={"content-type": kind}
        )
        assert response.status_code == 415
    response = served.client.post(
        "/v1/models/fake/predict",
        content=b'{"texts":["a"]}',
        headers={"content-type": "Application/JSON; charset=utf-8"},
    )
    assert response.status_code == 200


def test_unknown_models_addresses_and_methods_are_named_as_such(
    serving: Callable[..., Any],
) -> None:
    served = serving()
    unknown = served.predict("a", model="nobody")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_model")
    assert served.client.get("/v1/models/nobody").status_code == 404
    nowhere = served.client.get("/nowhere")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "unknown_address")
    wrong = served.client.delete("/v1/models")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "unknown_method")
    assert wrong.headers["allow"] == "GET"


def test_a_model_that_fails_says_so_and_answers_the_next(
    serving: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    served = serving()
    response = served.predict("good w13")
    assert (response.status_code, response.json()["error"]["code"]) == (500, "model_failed")
    assert "w13" not in response.text
    assert served.predict("good").status_code == 200
    assert any('"error": "ValueError"' in one.getMessage() for one in caplog.records)
    assert "w13" not in caplog.text


def test_without_the_key_nothing_is_told(serving: Callable[..., Any]) -> None:
    served = serving(keys=(KEY, "another-key-of-some-length"))
    ask = served.client.get
    for path in ("/v1/models", "/v1/models/fake", "/v1/models/fake/card", "/metrics"):
        refused = ask(path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "no_key")
        assert refused.headers["www-authenticate"] == "Bearer"
        for wrong in ("Bearer nope", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer \xff"):
            given = {"authorization": wrong.encode("latin-1")}
            assert ask(path, headers=given).status_code == 401
        for key in served.service.settings.keys:
            assert ask(path, headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert served.predict("a").status_code == 401
    assert served.explain("a").status_code == 401
    assert not served.predictor.batches
    for path in ("/", "/health", "/ready", "/openapi.json"):
        assert ask(path).status_code == 200


def test_other_origins_may_call_only_where_they_are_named(serving: Callable[..., Any]) -> None:
    def preflight(served: Any, origin: str) -> httpx.Response:
        answer: httpx.Response = served.client.options(
            "/v1/models/fake/predict",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type,authorization",
            },
        )
        return answer

    closed, opened = serving(), serving(origins=("https://example.org",), keys=(KEY,))
    assert "access-control-allow-origin" not in preflight(closed, "https://example.org").headers
    allowed = preflight(opened, "https://example.org")
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"
    foreign = preflight(opened, "https://example.com")
    assert "access-control-allow-origin" not in foreign.headers
    refused = opened.client.get("/v1/models", headers={"origin": "https://example.org"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://example.org"


def test_only_known_host_names_are_answered(serving: Callable[..., Any]) -> None:
    served = serving(hosts=("localhost", "::1", "Reviews.example"))
    for host, status in {
        "localhost": 200,
        "localhost:8000": 200,
        "[::1]:8000": 200,
        "reviews.example.": 200,
        "evil.example": 421,
        "localhost.evil.example": 421,
        "": 421,
    }.items():
        response = served.client.get("/v1/models", headers={"host": host})
        assert response.status_code == status, host


def test_every_response_forbids_what_it_does_not_need(serving: Callable[..., Any]) -> None:
    served = serving()
    for path in ("/", "/v1/models", "/nowhere", "/metrics"):
        headers = served.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
    page = served.client.get("/")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    again = served.client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_metrics_count_what_happened(serving: Callable[..., Any]) -> None:
    served, other = serving(), serving()
    served.predict("a", "b")
    served.explain("a")
    served.predict()
    text = served.client.get("/metrics").text
    route = 'route="/v1/models/{name}/predict"'
    assert f'sentilab_requests_total{{method="POST",{route},status="200"}} 1.0' in text
    assert f'sentilab_requests_total{{method="POST",{route},status="422"}} 1.0' in text
    # One more was computed to warm up.
    assert 'sentilab_texts_total{model="fake",task="predict"} 2.0' in text
    assert 'sentilab_texts_total{model="fake",task="explain"} 1.0' in text
    assert 'sentilab_waiting{model="fake",task="predict"} 0.0' in text
    assert "sentilab_ready 1.0" in text
    assert 'status="200"' not in other.client.get("/metrics").text


def test_ready_says_no_once_the_service_has_been_told_to_end(serving: Callable[..., Any]) -> None:
    served = serving()
    assert served.client.get("/ready").json() == {"status": "ready"}
    served.service.leaving = True
    response = served.client.get("/ready")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "leaving")
    assert served.client.get("/health").json() == {"status": "alive"}


SECRET = "my very private review"


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(one.getMessage()) for one in caplog.records if one.name == "sentilab.serve"]


def test_a_request_is_one_line_in_the_log_without_its_texts(
    serving: Callable[..., Any], caplog: pytest.LogCaptureFixture, eventually: Callable[..., None]
) -> None:
    caplog.set_level(logging.DEBUG)
    served = serving(keys=(KEY,))
    headers = {"authorization": f"Bearer {KEY}"}
    path = "/v1/models/fake/predict"
    served.client.post(path, json={"texts": [SECRET, "w13"]}, headers=headers)
    served.client.post(path, json={"texts": [SECRET, 1]}, headers=headers)
    served.client.post(path, json={"texts": [SECRET], SECRET: 1}, headers=headers)
    served.client.post(path, content=SECRET.encode(), headers=headers)
    served.client.get(f"/v1/models?text={SECRET}", headers=headers)
    eventually(lambda: len([one for one in lines(caplog) if "path" in one]) == 5)
    first = next(one for one in lines(caplog) if "path" in one)
    assert set(first) == {"time", "method", "path", "status", "texts", "ms"}
    assert (first["method"], first["path"], first["status"], first["texts"]) == (
        "POST",
        path,
        500,
        2,
    )
    # What the client's own library logs is no concern of the service's.
    said = [one.getMessage() for one in caplog.records if not one.name.startswith("http")]
    for hidden in (SECRET, "private", KEY):
        assert hidden not in "".join(said)


def test_texts_are_logged_where_that_was_asked_for(
    serving: Callable[..., Any], caplog: pytest.LogCaptureFixture, eventually: Callable[..., None]
) -> None:
    caplog.set_level(logging.INFO)
    served = serving(log_texts=True)
    served.predict(SECRET, "line\nbreak")
    eventually(lambda: lines(caplog))
    assert lines(caplog)[0]["asked"] == [SECRET, "line\nbreak"]
    assert "\n" not in caplog.records[0].getMessage()


def test_labels_that_utf8_cannot_hold_are_sent_all_the_same(serving: Callable[..., Any]) -> None:
    served = serving(FakePredictor(FakeManifest(labels=("bad\ud800", "good"))))
    assert served.predict("a").status_code == 200
    assert served.explain("a").status_code == 200
    assert served.client.get("/v1/models").json()["models"][0]["labels"] == ["bad?", "good"]
    assert served.client.get("/v1/models/fake").status_code == 200
