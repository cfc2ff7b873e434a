"""A Keras model as an ONNX graph that answers as it does: ids in, probabilities out.

The model's layers are walked as they are connected, each after those that it reads; a model within
the model is walked in its place. What each layer becomes is in onnx_layers.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sentilab.bundle.onnx_layers import converted
from sentilab.bundle.onnx_nodes import Graph, NotExportable, Value
from sentilab.models import import_keras

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17  # the newest that onnxruntime, its web build and older phones have in common
INPUT, OUTPUT = "ids", "probabilities"

__all__ = ["NotExportable", "onnx_graph"]


def onnx_graph(model: Any, metadata: dict[str, str] | None = None) -> "ModelProto":
    """The graph of a functional or sequential Keras model.

    ``ids`` has shape (texts, tokens), int32: any number of both, or of texts alone where the model's
    length is fixed. ``probabilities`` has shape (texts, labels), float32; a single sigmoid p becomes
    (1 - p, p). ``metadata`` is kept in the file.

    Raises NotExportable, naming the layer, for what has no counterpart here.
    """
    import onnx
    from onnx import helper

    graph = Graph()
    x = _walked(model, [Value(INPUT, shape=tuple(model.inputs[0].shape))], graph)
    if model.outputs[0].shape[-1] == 1:
        rest = graph.add("Sub", [graph.constant(np.ones(1, np.float32)), x.name])
        x = Value(graph.add("Concat", [rest, x.name], axis=1))
    graph.nodes.append(helper.make_node("Identity", [x.name], [OUTPUT]))
    labels = max(model.outputs[0].shape[-1], 2)
    length = model.inputs[0].shape[1] or "tokens"
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            model.name,
            [helper.make_tensor_value_info(INPUT, onnx.TensorProto.INT32, ["texts", length])],
            [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["texts", labels])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="sentilab",
        ir_version=8,  # that of the opset
    )
    helper.set_model_props(made, metadata or {})
    onnx.checker.check_model(made, full_check=True)
    return made


def _walked(model: Any, inputs: list[Value], graph: Graph) -> Value:
    """The model's one output for these inputs."""
    if len(model.outputs) != 1:
        raise NotExportable(
            f"{model.name}: it has {len(model.outputs)} outputs, and must have one."
        )
    known = {id(one): value for one, value in zip(model.inputs, inputs, strict=True)}
    waiting = [model.outputs[0]]
    # A stack, not recursion: a deep model has more layers than Python has patience.
    while waiting:
        wanted = waiting[-1]
        if id(wanted) in known:
            waiting.pop()
            continue
        layer, read = _origin(wanted)
        missing = [one for one in read if id(one) not in known]
        if missing:
            waiting += missing
            continue
        values = [known[id(one)] for one in read]
        is_model = isinstance(layer, import_keras().Model)
        made = (_walked if is_model else converted)(layer, values, graph)
        known[id(wanted)] = replace(made, shape=tuple(wanted.shape))
    return known[id(model.outputs[0])]


def _origin(tensor: Any) -> tuple[Any, list[Any]]:
    """The layer that gives a tensor, and what it reads of others, masks left out: Values carry them."""
    history = tensor._keras_history
    layer = history.operation
    node = layer._inbound_nodes[history.node_index]
    if len(node.output_tensors) != 1:
        raise NotExportable(f'Layer "{layer.name}" has several outputs, and must have one.')
    return layer, [one for one in node.input_tensors if one.dtype != "bool"]
