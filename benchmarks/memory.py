"""Resident memory over many training steps of the notebook's two-layer model.

    .venv/bin/python -m benchmarks.memory                 10,000 steps; some four minutes
    .venv/bin/python -m benchmarks.memory --steps 1000

Prints MiB after steps 100, 200, 500, 1000, ... and the largest growth after the first hundred.
"""

import argparse
import os
from pathlib import Path

BATCH = 32


def resident() -> float:
    """This process's resident memory in MiB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=10_000)
    steps = parser.parse_args().steps
    os.environ["KERAS_BACKEND"] = "jax"
    import keras
    import numpy as np

    from benchmarks.cases import Case
    from benchmarks.contenders import build_sentilab
    from sentilab import data
    from sentilab.text import cache_folder
    from sentilab.training import Preparation, RunSettings

    train = Preparation(data.load("imdb"), cache_folder()).examples(RunSettings("bilstm2")).train
    model = build_sentilab(Case(layers=2, units=64, length=200, batch=BATCH))
    order = np.random.default_rng(0).permutation(len(train.labels))
    rows = np.resize(order, steps * BATCH)
    seen: dict[int, float] = {}

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if (batch + 1) % 100 == 0:
                seen[batch + 1] = resident()

    model.fit(
        train.x[rows],
        train.labels[rows].astype(np.float32),
        batch_size=BATCH,
        epochs=1,
        shuffle=False,
        verbose=0,
        callbacks=[Watch()],
    )
    shown = [step for step in seen if str(step).strip("0") in ("1", "2", "5") or step == steps]
    for step in shown:
        print(f"step {step:6,}: {seen[step]:8.1f} MiB")
    print(f"largest growth after step 100: {max(seen.values()) - seen[100]:+.1f} MiB")


if __name__ == "__main__":
    main()
