"""What a service counts, for Prometheus; a registry of its own for each."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from sentilab import __version__

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters, histograms and gauges; docs/serving.md lists them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("sentilab", "The version that runs.", registry=self.registry).info(
            {"version": __version__}
        )
        self._requests = Counter(
            "sentilab_requests",
            "Requests that ended, by route and status (499: the client hung up).",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sentilab_request_seconds",
            "Time from a request's headers to the end of its response.",
            ("route",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._texts = Counter(
            "sentilab_texts",
            "Texts that were computed.",
            ("model", "task"),
            registry=self.registry,
        )
        self._batch = Histogram(
            "sentilab_batch_texts",
            "Texts that were computed together.",
            ("model", "task"),
            buckets=BATCHES,
            registry=self.registry,
        )
        self._compute = Histogram(
            "sentilab_batch_seconds",
            "Time that computing a batch took, tokenising included.",
            ("model", "task"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "sentilab_waiting",
            "What waits: texts (predict) or their words (explain).",
            ("model", "task"),
            registry=self.registry,
        )
        self._bodies = Gauge(
            "sentilab_body_bytes", "Request bodies held now.", registry=self.registry
        )
        self._ready = Gauge(
            "sentilab_ready", "1 while the service takes requests.", registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request has ended."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batch(self, model: str, task: str) -> Callable[[int, float], None]:
        """A function that is told (texts, seconds) of each batch of this model and task."""
        texts = self._texts.labels(model, task)
        sizes = self._batch.labels(model, task)
        times = self._compute.labels(model, task)

        def observe(questions: int, seconds: float) -> None:
            texts.inc(questions)
            sizes.observe(questions)
            times.observe(seconds)

        return observe

    def watch(self, model: str, task: str, waiting: Callable[[], float]) -> None:
        """What waits is asked for whenever the metrics are."""
        self._waiting.labels(model, task).set_function(waiting)

    def watch_service(self, bodies: Callable[[], float], ready: Callable[[], float]) -> None:
        """The same for the bytes of bodies held and for readiness."""
        self._bodies.set_function(bodies)
        self._ready.set_function(ready)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
