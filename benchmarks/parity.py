"""Does a bundle answer as the Keras model that it was made of, in every form and in a browser?

    .venv/bin/python -m benchmarks.parity RUN [RUN ...]

Each RUN is the folder of a finished run. Its bundle is made with 8-bit weights, and exported as a
page. The same 1,000 test texts, spread over all, are asked of stock Keras (the run's .keras file),
Sentilab's kernel, ONNX Runtime, ONNX Runtime with 8-bit weights, and both graphs in Chromium, from
raw text to calibrated probability. Prints a table of the largest differences from Keras, and writes
it into docs/bundles.md with --write.
"""

import argparse
import functools
import http.server
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import pages

TEXTS = 1_000
FORMS = ("Sentilab's kernel", "ONNX Runtime", "browser", "ONNX Runtime, int8", "browser, int8")

ASK = """async ([address, texts]) => {
  const { StaticBackend } = await import(address + "backend-static.js");
  const backend = new StaticBackend("models.json", () => {});
  const [{ name }] = await backend.models();
  const answers = await backend.predict(name, texts);
  return answers.map((one) => Object.values(one.probabilities));
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def in_browser(page_folder: Path, texts: list[str], query: str) -> NDArray[np.float64]:
    """Calibrated probabilities (texts, labels) as the exported page's own code gives them."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    handler = functools.partial(Quiet, directory=str(page_folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(600_000)
            page.goto(address + query)
            found = page.evaluate(ASK, [address, texts])
            browser.close()
    finally:
        server.shutdown()
    return np.asarray(found, np.float64)


def differences(run: Path, folder: Path) -> tuple[str, dict[str, float]]:
    """The run's model in a few words, and each form's largest difference from stock Keras."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    from sentilab import data, workbench
    from sentilab.bundle import build_bundle, load
    from sentilab.bundle.predictor import calibrated
    from sentilab.bundle.web import export_web
    from sentilab.training import RunFolder

    subject = workbench.Subjects(data.load).of(RunFolder(run))
    judged = subject.run.predictions().ids
    texts = subject.texts(judged[np.linspace(0, len(judged) - 1, TEXTS).astype(int)])
    bundle = build_bundle(subject, folder / "bundle", int8=True).path
    export_web([bundle], folder / "page")

    predictor = load(bundle, engine="onnx")
    stock = keras.saving.load_model(subject.run.model)
    wanted = stock.predict(predictor.encode(texts), verbose=0)
    if wanted.shape[1] == 1:
        wanted = np.concatenate([1 - wanted, wanted], axis=1)
    wanted = calibrated(wanted, predictor.manifest.temperature)
    found = {
        "Sentilab's kernel": load(bundle, engine="native").probabilities(texts),
        "ONNX Runtime": predictor.probabilities(texts),
        "browser": in_browser(folder / "page", texts, ""),
        "ONNX Runtime, int8": load(bundle, engine="int8").probabilities(texts),
        "browser, int8": in_browser(folder / "page", texts, "?int8"),
    }
    settings = subject.settings.model_settings
    masked = ", masked" if settings.get("masked") else ""
    parity = predictor.manifest.parity
    low, high = (100 * one for one in parity["int8_interval"])
    cost = f"{100 * parity['int8_difference']:+.2f} ({low:+.2f} to {high:+.2f})"
    largest = {form: float(np.abs(one - wanted).max()) for form, one in found.items()}
    return f"{subject.settings.model}{masked} | {cost}", largest


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into docs/bundles.md")
    asked = parser.parse_args()
    rows = [
        "| model | 8 bits: accuracy, points | " + " | ".join(FORMS) + " |",
        "| --- " * (len(FORMS) + 2) + "|",
    ]
    for run in asked.runs:
        with tempfile.TemporaryDirectory() as folder:
            named, largest = differences(run, Path(folder))
        rows.append(f"| {named} | " + " | ".join(f"{largest[form]:.1e}" for form in FORMS) + " |")
        print(rows[-1], flush=True)
    table = "\n".join(rows)
    print(table)
    if asked.write:
        page = pages.page("bundles.md")
        text = page.read_text(encoding="utf-8")
        page.write_text(pages.replaced(text, "parity", table), encoding="utf-8")


if __name__ == "__main__":
    main()
