"""More than can be carried: refused at once, bounded, and nothing accepted is lost."""

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx


def held(served: Any, eventually: Callable[..., None]) -> Any:
    """One request that the model does not answer until its gate is opened."""
    served.predictor.gate.clear()
    first = served.in_background(lambda: served.predict("held"))
    assert served.predictor.begun.wait(30)
    return first


def test_a_full_queue_is_refused_while_the_model_is_busy_and_what_waits_is_answered(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    served = serving(queue_texts=4, texts_per_request=4)
    first = held(served, eventually)
    waiting = [
        served.in_background(lambda text=text: served.predict(text, text))
        for text in ("good film", "bad film")
    ]
    eventually(lambda: served.waiting == 4)
    # The model is held, so that an answer now can only be a refusal.
    for _ in range(20):
        refused = served.predict("good")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
    text = served.client.get("/metrics").text
    assert 'sentilab_waiting{model="fake",task="predict"} 4.0' in text
    assert served.client.get("/health").status_code == 200
    served.predictor.gate.set()
    for text, response in zip(("good film", "bad film"), waiting, strict=True):
        answers = response.result().json()["answers"]
        positive = served.predictor.positive(text)
        assert [one["probabilities"]["positive"] for one in answers] == [positive] * 2
    assert first.result().status_code == 200
    assert served.predict("good").status_code == 200


def test_a_request_that_is_refused_is_not_even_read(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    served = serving(queue_texts=1, texts_per_request=1)
    first = held(served, eventually)
    second = served.in_background(lambda: served.predict("waits"))
    eventually(lambda: served.waiting == 1)
    with socket.create_connection(("127.0.0.1", served.address.port)) as client:
        client.sendall(
            b"POST /v1/models/fake/predict HTTP/1.1\r\nhost: localhost\r\n"
            b"content-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 503 ")
    served.predictor.gate.set()
    assert first.result().status_code == second.result().status_code == 200


def test_bodies_are_held_up_to_a_bound(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    served = serving(body_bytes=1_000, queue_bytes=1_500)
    first = held(served, eventually)
    long = served.in_background(lambda: served.predict("x" * 900))
    eventually(lambda: served.service.bodies.held > 900)
    refused = served.predict("y" * 900)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    served.predictor.gate.set()
    assert first.result().status_code == long.result().status_code == 200
    eventually(lambda: served.service.bodies.held == 0)


def test_an_answer_that_does_not_come_in_time_is_given_up_and_leaves_the_queue(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    served = serving(answer_seconds=0.1)
    first = held(served, eventually)
    late = served.predict("good")
    assert (late.status_code, late.json()["error"]["code"]) == (504, "too_late")
    assert served.waiting == 0
    served.predictor.gate.set()
    assert first.result().status_code == 504
    assert served.predict("good").status_code == 200


def test_a_client_that_hangs_up_frees_its_place(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    served = serving(queue_texts=2, texts_per_request=2)
    first = held(served, eventually)
    body = json.dumps({"texts": ["a", "b"]}).encode()
    with socket.create_connection(("127.0.0.1", served.address.port)) as client:
        client.sendall(
            b"POST /v1/models/fake/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: "
            b"application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        eventually(lambda: served.waiting == 2)
    eventually(lambda: served.waiting == 0)
    second = served.in_background(lambda: served.predict("good", "bad"))
    eventually(lambda: served.waiting == 2)
    served.predictor.gate.set()
    assert first.result().status_code == second.result().status_code == 200
    assert 'status="499"} 1.0' in served.client.get("/metrics").text


def test_explanations_are_weighed_by_their_words_and_hold_up_no_prediction(
    serving: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    from serve_fakes import FakePredictor

    class SlowToExplain(FakePredictor):
        def explain(self, text: str) -> Any:
            self.begun.set()
            assert self.gate.wait(30)
            return super().explain(text)

    served = serving(SlowToExplain(), queue_words=10)
    served.predictor.gate.clear()
    # Its predictions do not wait at the gate.
    served.predictor.probabilities_of = lambda ids, of=served.predictor: (
        FakePredictor().probabilities_of(ids)
    )
    first = served.in_background(lambda: served.explain("good film, not bad"))
    assert served.predictor.begun.wait(30)
    second = served.in_background(lambda: served.explain("good film, not bad"))
    lane = served.service.models["fake"].explanations
    eventually(lambda: lane.waiting == 9)  # 8 words can be read, and the text as it is
    refused = served.explain("good film")
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert served.predict("good film").status_code == 200
    served.predictor.gate.set()
    assert first.result().status_code == second.result().status_code == 200


def test_many_clients_at_once_each_get_the_answers_to_their_own_texts(
    serving: Callable[..., Any],
) -> None:
    served = serving(batch_texts=8)
    texts = [f"w{number} w{number // 2} film" for number in range(40, 120)]
    expected = {text: served.predictor.positive(text) for text in texts}

    def client(start: int) -> httpx.Response | None:
        with httpx.Client(base_url=served.address.url, timeout=30) as own:
            for at in range(start, len(texts), 8):
                some = texts[at : at + 1 + at % 5]
                response = own.post("/v1/models/fake/predict", json={"texts": some})
                found = [one["probabilities"]["positive"] for one in response.json()["answers"]]
                assert found == [expected[text] for text in some]
        return None

    for one in [served.in_background(lambda start=start: client(start)) for start in range(8)]:
        one.result()
    assert max(served.predictor.batches) <= 8
