"""The application: what each address does, and what the OpenAPI document says of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypeVar

import fastapi
from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from sentilab import __version__
from sentilab.serve import page, wire
from sentilab.serve.access import HostGuard, key_check
from sentilab.serve.answering import Explanation, Predictor, ServedModel, sendable, served
from sentilab.serve.batching import Job
from sentilab.serve.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ClientGone,
    Invalid,
    ModelFailed,
    NoKey,
    NotJson,
    NotJsonType,
    NotReady,
    Overloaded,
    ServiceError,
    TooLate,
    UnknownModel,
    WrongHost,
)
from sentilab.serve.metrics import Metrics
from sentilab.serve.observing import Observer, Seen, error_content, error_response, log, told
from sentilab.serve.reading import Bodies, Body, LastWords
from sentilab.serve.settings import ServiceSettings

Q = TypeVar("Q")
A = TypeVar("A")

ASKING = (
    NotJson,
    UnknownModel,
    BodyTooSlow,
    BodyTooLarge,
    NotJsonType,
    Invalid,
    ModelFailed,
    Overloaded,
    TooLate,
)


class Service:
    """What the routes share."""

    def __init__(self, predictors: Iterable[Predictor], settings: ServiceSettings) -> None:
        self.settings, self.metrics = settings, Metrics()
        self.models = served(predictors, settings, self.metrics)
        self.bodies = Bodies(settings.queue_bytes)
        self.leaving = False  # the process has been told to end
        self.metrics.watch_service(lambda: self.bodies.held, lambda: float(not self.leaving))

    def model(self, name: str) -> ServedModel:
        """Raises UnknownModel."""
        if name not in self.models:
            raise UnknownModel(
                f"No such model is served here; there are: {', '.join(self.models)}."
            )
        return self.models[name]

    async def answers(self, job: Job[Q, A], request: Request) -> list[A]:
        """The job's answers; it leaves its lane when time is up or the client hangs up.

        Raises TooLate, ClientGone or ModelFailed.
        """
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self.settings.answer_seconds, lambda: job.leave(TooLate()))
        watch = loop.create_task(_watch(request, job))
        try:
            return await job.answers
        except ServiceError:
            raise
        except Exception as error:
            log.error(told(error, with_message=self.settings.log_texts))
            raise ModelFailed from error
        finally:
            timer.cancel()
            watch.cancel()
            job.leave()

    async def warm_up(self) -> None:
        """Answers one text with each model."""
        for one in self.models.values():
            await asyncio.to_thread(one.warm_up)

    def close(self) -> None:
        """Ends all worker threads."""
        for one in self.models.values():
            one.close()


async def _watch(request: Request, job: Job[Q, A]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.leave(ClientGone())


def create_app(predictors: Iterable[Predictor], settings: ServiceSettings | None = None) -> FastAPI:
    """The ASGI application that answers with these predictors (sentilab.bundle.load gives them).

    Of several with one name, the second is served as "NAME-2". ``app.state.service`` is the Service.
    Run one application in one event loop: queues are per process.
    """
    settings = settings or ServiceSettings()
    service = Service(predictors, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.warm_up()
        yield
        service.close()

    app = FastAPI(
        title="Sentilab",
        version=__version__,
        description="Trained text classifiers: labels, calibrated probabilities, and why.",
        lifespan=lifespan,
        # Both would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    # The first of the routes is found soonest.
    _answer(app, service)
    _tell_of_models(app, service)
    _let_watch(app, service)
    app.router.routes.extend(page.routes())
    _handle_errors(app, settings)
    _wrap(app, service)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _let_watch(app: FastAPI, service: Service) -> None:
    """For whoever looks after the service."""

    @app.get("/health", tags=["service"], responses=_responses())
    async def health() -> wire.Health:
        """Whether the process runs."""
        return wire.Health()

    @app.get("/ready", tags=["service"], responses=_responses(NotReady))
    async def ready() -> wire.Ready:
        """Whether it takes requests: no longer, once it has been told to end."""
        if service.leaving:
            raise NotReady
        return wire.Ready()

    @app.get(
        "/metrics",
        tags=["service"],
        dependencies=_keys(service),
        response_class=Response,
        responses=_plain("text/plain") | _responses(*_keyed(service)),
    )
    async def metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4")


def _tell_of_models(app: FastAPI, service: Service) -> None:
    """What is served."""
    name_type, keyed = _name(service), _responses(*_keyed(service))
    get = partial(app.get, tags=["models"], dependencies=_keys(service))

    @get("/v1/models", responses=keyed)
    async def models() -> wire.Models:
        """The models that are served."""
        return wire.Models(models=[_summary(one) for one in service.models.values()])

    @get(
        "/v1/models/{name}",
        responses=keyed | _json_of(wire.Manifest) | _responses(UnknownModel),
    )
    async def manifest(name: name_type) -> Response:  # type: ignore[valid-type]
        """The manifest of a model's bundle."""
        return JSONResponse(_sendable(service.model(name).predictor.manifest.to_json()))

    @get(
        "/v1/models/{name}/card",
        response_class=Response,
        responses=keyed | _plain("text/markdown") | _responses(UnknownModel),
    )
    async def card(name: name_type) -> Response:  # type: ignore[valid-type]
        """A model's card, in Markdown."""
        content = sendable(service.model(name).predictor.card)
        return Response(content, media_type="text/markdown; charset=utf-8")


def _answer(app: FastAPI, service: Service) -> None:
    """What costs something."""
    name_type, errors = _name(service), _responses(*_keyed(service), *ASKING)
    post = partial(app.post, tags=["answers"], dependencies=_keys(service))
    predict_request = wire.predict_request(service.settings)
    explain_request = wire.explain_request(service.settings)

    @post(
        "/v1/models/{name}/predict",
        responses=errors | _json_of(wire.PredictAnswer),
        openapi_extra=_body(predict_request),
    )
    async def predict(name: name_type, request: Request) -> Response:  # type: ignore[valid-type]
        """The label and the calibrated probabilities of each text."""
        model = service.model(name)
        # Refused before any work is done for it.
        model.predictions.check()
        body = Body(request, service.bodies, service.settings)
        seen: Seen = request.scope["sentilab"]
        try:
            asked = await _read(body, predict_request, seen)
            job = model.ask(asked.texts)
            _note(seen, asked.texts)
            answers = await service.answers(job, request)
        finally:
            body.release()
        content = wire.PredictAnswer(
            model=model.name,
            answers=[
                wire.TextAnswer(
                    label=model.labels[one.number],
                    probability=one.probabilities[one.number],
                    probabilities=_by_label(model, one.probabilities),
                    words=one.words,
                    read=one.read,
                )
                for one in answers
            ],
        )
        return _json(content)

    @post(
        "/v1/models/{name}/explain",
        responses=errors | _json_of(wire.ExplainAnswer),
        openapi_extra=_body(explain_request),
    )
    async def explain(name: name_type, request: Request) -> Response:  # type: ignore[valid-type]
        """The answer to one text, and what each word does to it; as dear as a text for each word."""
        model = service.model(name)
        model.explanations.check()
        body = Body(request, service.bodies, service.settings)
        seen: Seen = request.scope["sentilab"]
        try:
            asked = await _read(body, explain_request, seen)
            job = model.ask_why(asked.text)
            _note(seen, [asked.text])
            (why,) = await service.answers(job, request)
        finally:
            body.release()
        return _json(_explained(model, why))


Asked = TypeVar("Asked", bound=BaseModel)


async def _read(body: Body, kind: type[Asked], seen: Seen) -> Asked:
    try:
        return await body.read(kind)
    finally:
        seen.body_ended = body.ended


def _note(seen: Seen, texts: Sequence[str]) -> None:
    seen.texts, seen.asked = len(texts), tuple(texts)


def _summary(model: ServedModel) -> wire.ModelSummary:
    predictor = model.predictor
    return wire.ModelSummary(
        name=model.name,
        labels=list(model.labels),
        family=sendable(predictor.manifest.family),
        length=predictor.manifest.encoding.length,
        temperature=predictor.manifest.temperature,
        threshold=predictor.manifest.threshold,
        engine=sendable(predictor.engine),
    )


def _explained(model: ServedModel, why: Explanation) -> wire.ExplainAnswer:
    return wire.ExplainAnswer(
        model=model.name,
        label=sendable(why.label),
        probability=why.probability,
        probabilities=_by_label(model, why.probabilities),
        side=sendable(why.side),
        pieces=[wire.Piece(text=text, weight=weight) for text, weight in why.pieces],
    )


def _by_label(model: ServedModel, probabilities: Sequence[float]) -> dict[str, float]:
    return dict(zip(model.labels, probabilities, strict=True))


def _json(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type="application/json")


def _sendable(value: Any) -> Any:
    if isinstance(value, str):
        return sendable(value)
    if isinstance(value, Mapping):
        return {sendable(str(key)): _sendable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(one) for one in value]
    return value


def _name(service: Service) -> Any:
    """A model's name as a route's parameter. Unknown names are answered by the route: 404."""
    names = {"enum": list(service.models)}
    return Annotated[str, fastapi.Path(json_schema_extra=names, description="A model's name.")]


def _keys(service: Service) -> list[Any]:
    keys = service.settings.keys
    return [fastapi.Depends(key_check(keys))] if keys else []


def _keyed(service: Service) -> list[type[ServiceError]]:
    return [NoKey] if service.settings.keys else []


def _responses(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these errors, and of those that any address may give."""
    found: dict[int | str, dict[str, Any]] = {}
    general: tuple[type[ServiceError], ...] = (WrongHost, ServiceError)
    for one in (*general, *errors):
        found[one.status] = {"model": wire.ErrorAnswer, "description": (one.__doc__ or "").strip()}
    if Overloaded in errors:
        found[Overloaded.status]["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}
        }
    return found


def _json_of(kind: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": kind}}


def _plain(media: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {media: {"schema": {"type": "string"}}}}}


def _body(kind: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that the route reads itself, to refuse it before it is read whole."""
    content = {"application/json": {"schema": kind.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def _handle_errors(app: FastAPI, settings: ServiceSettings) -> None:
    async def service_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        if isinstance(error, BodyTooLarge) and not request.scope["sentilab"].body_ended:
            most = 8 * settings.body_bytes
            return LastWords(error_content(error), error.status, error.headers(), most)
        return error_response(error)

    async def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        codes = {404: "unknown_address", 405: "unknown_method"}
        messages = {
            404: "There is nothing at this address; /openapi.json lists what there is.",
            405: "This address does not take that method.",
        }
        code = codes.get(error.status_code, "refused")
        message = messages.get(error.status_code, str(error.detail))
        content = {"error": {"code": code, "message": message}}
        return JSONResponse(content, error.status_code, dict(error.headers or {}))

    app.add_exception_handler(ServiceError, service_error)
    app.add_exception_handler(HTTPException, http_error)


def _wrap(app: FastAPI, service: Service) -> None:
    """The layers around the routes, the innermost first."""
    settings = service.settings
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["retry-after"],
        )
    if settings.hosts is not None:
        app.add_middleware(HostGuard, hosts=settings.hosts)
    app.add_middleware(Observer, settings=settings, metrics=service.metrics)


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        # FastAPI promises its own kind of 422 wherever there is a parameter; ours are never invalid.
        for path in made["paths"].values():
            for operation in path.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
        for unused in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(unused, None)
        app.openapi_schema = made
    return app.openapi_schema
