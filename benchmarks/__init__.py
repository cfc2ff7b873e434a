"""Sentilab's LSTM against its peers, side by side on one machine.

    make bench-peers                           TensorFlow and torch, in an environment of their own
    .venv/bin/python -m benchmarks.lstm        measures; writes benchmarks/results/lstm.json
    .venv/bin/python -m benchmarks.render      makes its table and its plot
    .venv/bin/python -m benchmarks.study       the homework study, Sentilab against Keras

All of them are run from the repository's folder.
"""
