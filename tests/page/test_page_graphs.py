"""Every family's graph answers in WebAssembly as it does elsewhere, the wrap-around of 32 bits included."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sentilab.bundle import load
from sentilab.bundle.format import ONNX
from sentilab.bundle.web_runtime import BINARY, MODULE

NODE = shutil.which("node")

# Reads {"graphs": [...], "ids": [rows of integers]} and writes the probabilities of each graph.
SCRIPT = """
import { readFileSync } from "node:fs";
const [folder, module, binary] = process.argv.slice(1);
const ort = await import(`${folder}/${module}`);
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
ort.env.wasm.wasmBinary = readFileSync(`${folder}/${binary}`);
const { graphs, ids } = JSON.parse(readFileSync(0, "utf8"));
const answers = [];
for (const graph of graphs) {
  const session = await ort.InferenceSession.create(readFileSync(graph), { logSeverityLevel: 4 });
  const tensor = new ort.Tensor("int32", Int32Array.from(ids.flat()), [ids.length, ids[0].length]);
  const { probabilities } = await session.run({ ids: tensor });
  answers.push(Array.from(probabilities.data));
}
console.log(JSON.stringify(answers));
"""

FAMILIES = ("averaging", "cnn", "ensemble", "fasttext", "nblr", "recurrent")
TEXTS = ["", "good", "the plot was dull, dull, dull", "a wonderful film " * 9]


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_every_familys_graph_answers_in_webassembly_as_in_python(
    small_bundle: Callable[..., Path], runtime: Path
) -> None:
    assert NODE is not None
    bundles = [small_bundle(family) for family in FAMILIES]
    predictors = [load(one, engine="onnx", threads=1) for one in bundles]
    ids = predictors[0].encode(TEXTS)
    asked = {"graphs": [str(one / ONNX) for one in bundles], "ids": ids.tolist()}
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", SCRIPT, "--", str(runtime), MODULE, BINARY],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1_000:]
    for predictor, answered in zip(predictors, json.loads(done.stdout), strict=True):
        found = np.reshape(answered, (len(TEXTS), -1))
        np.testing.assert_allclose(found, predictor._engine.scores(ids), rtol=0, atol=1e-5)
