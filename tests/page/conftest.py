"""Small bundles with models of a few kilobytes, a browser, and the page in both of its forms."""

import functools
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from sentilab.bundle import format, web_runtime
from sentilab.bundle.predictor import calibrated
from sentilab.bundle.web import export_web
from sentilab.text.words import TOKENISER_VERSION, Encoding, Vocabulary

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]

# Asked before a test has a cache of its own.
RUNTIME = web_runtime.cache_folder()
HAS_RUNTIME = web_runtime.cached() is not None

SECONDS = 20  # before a page that does not come to its answer fails the test

PRAISE = ("good", "great", "wonderful", "superb", "lovely")
BLAME = ("bad", "awful", "dull", "dreadful", "worst")
PLAIN = ("the", "a", "film", "is", "not", "and", "it", "story", "very", "σοφός", "i̇stanbul")
WORDS = (*PLAIN, *PRAISE, *BLAME)
LENGTH = 12


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a browser is marked and skipped as such."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        if "browser" in asked:
            item.add_marker(pytest.mark.browser)
            item.add_marker(
                pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
            )
        if "runtime" in asked:
            item.add_marker(
                pytest.mark.skipif(
                    not HAS_RUNTIME,
                    reason=f"{web_runtime.PACKAGE} is not in the cache; with a network: "
                    "python -m sentilab.bundle.web_runtime",
                )
            )


@pytest.fixture(scope="session")
def runtime() -> Path:
    """The folder of the runtime's files."""
    return RUNTIME


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Not for longer than a module: while Playwright is there, no other test can run a loop of asyncio's.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@dataclass
class Tab:
    """A page, and what it complained of or asked of others than its own server."""

    page: Any
    trouble: list[str] = field(default_factory=list)

    def wait(self, expression: str) -> Any:
        """Until the JavaScript expression is true; its value. (Pages forbid Playwright's own way.)"""
        end = time.monotonic() + SECONDS
        while not (found := self.page.evaluate(expression)):
            assert time.monotonic() < end, f"waited in vain for: {expression}"
            time.sleep(0.02)
        return found

    def text(self, selector: str) -> str:
        said: str = self.page.inner_text(selector)
        return said

    def until(self, selector: str, said: str) -> None:
        """Until the element says so."""
        found = f"document.querySelector({json.dumps(selector)})?.innerText.includes({json.dumps(said)})"
        self.wait(found)

    def write(self, text: str) -> None:
        self.page.fill("#text", text)

    def type(self, text: str) -> None:
        """Key by key; the text's field is not there before the page knows its models."""
        field = self.page.locator("#text")
        field.wait_for()
        field.press_sequentially(text, delay=5)

    def explained(self) -> None:
        """Until all answers are complete."""
        self.wait(
            "[...document.querySelectorAll('.answer')].every(one => !one.hasAttribute('aria-busy') "
            "&& one.querySelector('.more details') && !one.querySelector('.old'))"
        )

    def drop(self, name: str, content: bytes, repeated: int = 1) -> None:
        """A file dropped on the page; ``repeated``: how often its last line stands there."""
        self.wait("document.getElementById('file-work').children.length")
        *first, last = content.splitlines(keepends=True) or [b""]
        self.page.evaluate(
            """([name, first, last, repeated]) => {
                const data = new DataTransfer();
                const parts = new Array(repeated).fill(new Uint8Array(last));
                data.items.add(new File([new Uint8Array(first), ...parts], name));
                document.body.dispatchEvent(new DragEvent("drop",
                    { dataTransfer: data, bubbles: true, cancelable: true }));
            }""",
            [name, list(b"".join(first)), list(last), repeated],
        )

    def saved(self, selector: str) -> bytes:
        """The file that a link gives."""
        with self.page.expect_download() as download:
            self.page.click(selector)
        return Path(download.value.path()).read_bytes()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Opens an address in a context of its own."""
    contexts = []

    def open_page(url: str, **options: Any) -> Tab:
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 900}, **options})
        contexts.append(context)
        context.set_default_timeout(1000 * SECONDS)
        tab = Tab(context.new_page())
        origin = "/".join(url.split("/")[:3])
        own = (f"{origin}/", f"blob:{origin}/")

        def asked(request: Any) -> None:
            if not request.url.startswith(own):
                tab.trouble.append(request.url)

        context.on("request", asked)
        tab.page.on(
            "console",
            lambda message: tab.trouble.append(f"{message.text} ({message.location.get('url')})"),
        )
        tab.page.on("pageerror", lambda error: tab.trouble.append(str(error)))
        tab.page.goto(url)
        return tab

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """ "plain" (averaged vectors), "lstm" (with a graph of 8 bits) and "three" (of three labels)."""
    folder = tmp_path_factory.mktemp("bundles")
    labels = ("negative", "positive")
    return [
        _bundle(folder / "plain", labels, _averaging(1), temperature=1.3, threshold=0.5),
        _bundle(folder / "lstm", labels, _lstm(), temperature=None, threshold=0.4, int8=True),
        _bundle(folder / "three", ("calm", "<b>glad</b>", "sad"), _averaging(3), temperature=2.0),
    ]


@pytest.fixture(scope="session")
def exported(bundles: list[Path], runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as static files."""
    folder = tmp_path_factory.mktemp("static") / "some" / "where"
    return export_web(bundles, folder, runtime=runtime).folder


@pytest.fixture
def static(exported: Path, files_at: Callable[[Path], str]) -> str:
    """Its address at a plain server of files, below the server's root."""
    return f"{files_at(exported.parents[1])}some/where/"


@pytest.fixture
def files_at() -> Iterator[Callable[[Path], str]]:
    """Serves folders and gives their addresses."""
    with ExitStack() as running:
        yield lambda folder: running.enter_context(_files_at(folder))


@contextmanager
def _files_at(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files."""

    class Handler(SimpleHTTPRequestHandler):
        extensions_map: ClassVar[dict[str, str]] = {
            **SimpleHTTPRequestHandler.extensions_map,
            ".js": "text/javascript",
            ".mjs": "text/javascript",
        }

        def log_message(self, *_: Any) -> None: ...

    handler = functools.partial(Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Service:
    """Bundles behind HTTP, in a thread."""

    def __init__(self, bundles: Sequence[Path], port: int = 0, **settings: Any) -> None:
        import uvicorn

        from sentilab.bundle import load
        from sentilab.serve import ServiceSettings, create_app

        predictors = [load(one, engine="onnx", threads=1) for one in bundles]
        app = create_app(predictors, ServiceSettings(**{"drain_seconds": 0.0, **settings}))
        config = uvicorn.Config(
            app, port=port, log_level="critical", timeout_graceful_shutdown=1, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture
def serving(bundles: list[Path]) -> Iterator[Callable[..., Service]]:
    """Starts services, by default of all bundles."""
    running: list[Service] = []

    def start(**settings: Any) -> Service:
        running.append(Service(bundles, **settings))
        return running[-1]

    yield start
    for one in running:
        one.stop()


Graph = tuple[list[Any], dict[str, np.ndarray]]


def _bundle(
    path: Path,
    labels: tuple[str, ...],
    graph: Graph,
    *,
    temperature: float | None,
    threshold: float = 0.5,
    int8: bool = False,
) -> Path:
    """Writes a bundle whose model is an ONNX graph of ours alone."""
    import onnxruntime
    from safetensors.numpy import save

    content = _onnx(graph, len(labels))
    vocabulary = Vocabulary(WORDS, Encoding(words=len(WORDS) + 4, length=LENGTH))
    texts = ["", "good", "not bad", "A great film, İstanbul ΣΟΦΌΣ!", "dull " * 30]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {"ids": vocabulary.encode(texts)})
    golden = {"texts": texts, "probabilities": calibrated(scores, temperature).tolist()}
    contents = {
        format.ONNX: content,
        format.WEIGHTS: save({"none": np.zeros(1, np.float32)}),
        format.VOCABULARY: vocabulary.to_json().encode(),
        format.GOLDEN: json.dumps(golden).encode(),
        format.PROVENANCE: b"{}",
        format.CARD: CARD.format(name=path.name).encode(),
    }
    if int8:
        contents[format.INT8] = _quantised(content, path)
    manifest = format.Manifest(
        name=path.name,
        created="2026-01-02T03:04:05+00:00",
        sentilab="0.1.0",
        tokeniser=TOKENISER_VERSION,
        family="made-up",
        settings={},
        layers=None,
        labels=labels,
        encoding=vocabulary.encoding,
        temperature=temperature,
        uncalibrated="" if temperature else "no validation texts",
        threshold=threshold,
        parity={"int8": 0.012} if int8 else {},
        files={},
    )
    format.write(path, manifest, contents)
    return path


CARD = """---
license: apache-2.0
---
# {name}

A model for *tests*, with **bold**, `code` and <script>alert(1)</script>.

| what | how much |
| --- | ---: |
| accuracy | 0.9 |

- one
- two [a link](https://example.org/x)
- [no link](javascript:alert(1)) ![a picture](https://example.org/p.png)
"""


def _vectors(size: int) -> np.ndarray:
    """One vector a token; praise and blame differ in the first number."""
    random = np.random.default_rng(0)
    table = random.normal(scale=0.1, size=(len(WORDS) + 4, size)).astype(np.float32)
    for words, value in ((PRAISE, 1.0), (BLAME, -1.0)):
        for word in words:
            table[WORDS.index(word) + 4, 0] += value
    return table


def _averaging(outputs: int) -> Graph:
    from onnx import helper

    random = np.random.default_rng(1)
    kernel = random.normal(scale=0.5, size=(4, outputs)).astype(np.float32)
    kernel[0] = np.linspace(30, -30, outputs) if outputs > 1 else 30
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["vectors"], axis=0),
        helper.make_node("ReduceMean", ["vectors"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "kernel"], ["logits"]),
    ]
    return nodes, {"table": _vectors(4), "kernel": kernel}


def _lstm() -> Graph:
    """Bidirectional, 8 units a direction."""
    from onnx import helper

    random = np.random.default_rng(2)

    def weights(*shape: int, scale: float = 0.6) -> np.ndarray:
        return random.normal(scale=scale, size=shape).astype(np.float32)

    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["vectors"], axis=0),
        helper.make_node("Transpose", ["vectors"], ["in_time"], perm=[1, 0, 2]),
        helper.make_node(
            "LSTM",
            ["in_time", "w", "r", "b"],
            ["", "last"],
            hidden_size=8,
            direction="bidirectional",
        ),
        helper.make_node("Transpose", ["last"], ["by_text"], perm=[1, 0, 2]),
        helper.make_node("Reshape", ["by_text", "flat"], ["state"]),
        helper.make_node("MatMul", ["state", "kernel"], ["logits"]),
    ]
    return nodes, {
        "table": _vectors(8),
        "w": weights(2, 32, 8),
        "r": weights(2, 32, 8),
        "b": weights(2, 64),
        "flat": np.asarray([0, 16], np.int64),
        "kernel": weights(16, 1, scale=2),
    }


def _onnx(graph: Graph, labels: int) -> bytes:
    import onnx
    from onnx import helper, numpy_helper

    nodes, tensors = graph
    if tensors["kernel"].shape[1] == 1:
        tensors["one"] = np.ones(1, np.float32)
        nodes = [
            *nodes,
            helper.make_node("Sigmoid", ["logits"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["probabilities"], axis=1),
        ]
    else:
        nodes = [*nodes, helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1)]
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "made_up",
            [helper.make_tensor_value_info("ids", onnx.TensorProto.INT32, ["texts", LENGTH])],
            [
                helper.make_tensor_value_info(
                    "probabilities", onnx.TensorProto.FLOAT, ["texts", labels]
                )
            ],
            [numpy_helper.from_array(value, name) for name, value in tensors.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString()
    return content


def _quantised(content: bytes, path: Path) -> bytes:
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    before, after = path.with_suffix(".before.onnx"), path.with_suffix(".after.onnx")
    before.write_bytes(content)
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(before, after, weight_type=QuantType.QInt8)
    finally:
        logging.disable(logging.NOTSET)
    return after.read_bytes()
