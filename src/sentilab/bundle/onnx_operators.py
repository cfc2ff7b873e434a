"""The operators that a bundle's graph may hold: what their inputs must be, and what comes of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from sentilab.bundle import onnx_numbers as numbers
from sentilab.bundle import onnx_places as places
from sentilab.bundle import onnx_products as products
from sentilab.bundle.onnx_shapes import Rule

MICROSOFT = "com.microsoft"


@dataclass(frozen=True)
class Operator:
    """``inputs``: the fewest and the most of them; ``outputs`` the most; no other ``attributes``."""

    rule: Rule
    inputs: tuple[int, int]
    attributes: frozenset[str] = frozenset()
    outputs: int = 1


def _of(rule: Rule, fewest: int, most: int, *attributes: str, outputs: int = 1) -> Operator:
    return Operator(rule, (fewest, most), frozenset(attributes), outputs)


OPERATORS: Mapping[tuple[str, str], Operator] = {
    ("", "Add"): _of(numbers.arithmetic("Add"), 2, 2),
    ("", "And"): _of(numbers.logic, 2, 2),
    ("", "ArgMax"): _of(numbers.arg_max, 1, 1, "axis", "keepdims"),
    ("", "BitShift"): _of(numbers.shift, 2, 2, "direction"),
    ("", "Cast"): _of(numbers.cast, 1, 1, "to"),
    ("", "Concat"): _of(places.concat, 1, 8, "axis"),
    ("", "Conv"): _of(
        products.convolution, 2, 3, "strides", "dilations", "group", "kernel_shape", "pads"
    ),
    ("", "DequantizeLinear"): _of(numbers.dequantize, 2, 3),
    ("", "Div"): _of(numbers.arithmetic("Div"), 2, 2),
    ("", "DynamicQuantizeLinear"): _of(numbers.dynamic_quantize, 1, 1, outputs=3),
    ("", "Equal"): _of(numbers.compare, 2, 2),
    ("", "Gather"): _of(places.gather, 2, 2, "axis"),
    ("", "GatherElements"): _of(places.gather_elements, 2, 2, "axis"),
    ("", "GatherND"): _of(places.gather_vectors, 2, 2, "batch_dims"),
    ("", "Greater"): _of(numbers.compare, 2, 2),
    ("", "Identity"): _of(numbers.same, 1, 1),
    ("", "LSTM"): _of(products.lstm, 3, 5, "hidden_size", "direction", outputs=3),
    ("", "LayerNormalization"): _of(numbers.normalised, 3, 3, "axis", "epsilon"),
    ("", "Less"): _of(numbers.compare, 2, 2),
    ("", "Log"): _of(numbers.activation, 1, 1),
    ("", "MatMul"): _of(products.matmul, 2, 2),
    ("", "MatMulInteger"): _of(products.matmul_integer, 2, 4),
    ("", "LogSoftmax"): _of(numbers.softmax, 1, 1, "axis"),
    ("", "Max"): _of(numbers.extreme(max), 2, 2),
    ("", "Min"): _of(numbers.extreme(min), 2, 2),
    ("", "Mod"): _of(numbers.arithmetic("Mod"), 2, 2),
    ("", "Mul"): _of(numbers.arithmetic("Mul"), 2, 2),
    ("", "Neg"): _of(numbers.activation, 1, 1),
    ("", "Not"): _of(numbers.logic, 1, 1),
    ("", "Pad"): _of(places.padded, 2, 2),
    ("", "QuantizeLinear"): _of(numbers.quantize, 2, 3),
    ("", "Range"): _of(places.counted, 3, 3),
    ("", "ReduceMax"): _of(numbers.reduce_float, 1, 1, "axes", "keepdims"),
    ("", "ReduceMean"): _of(numbers.reduce_float, 1, 1, "axes", "keepdims"),
    ("", "ReduceSum"): _of(numbers.reduce_sum, 2, 2, "keepdims"),
    ("", "Relu"): _of(numbers.activation, 1, 1),
    ("", "Reshape"): _of(places.reshape, 2, 2),
    ("", "Shape"): _of(places.shape_of, 1, 1, "start", "end"),
    ("", "Sigmoid"): _of(numbers.activation, 1, 1),
    ("", "Slice"): _of(places.sliced, 4, 4),
    ("", "Softmax"): _of(numbers.softmax, 1, 1, "axis"),
    ("", "Softplus"): _of(numbers.activation, 1, 1),
    ("", "Sqrt"): _of(numbers.activation, 1, 1),
    ("", "Squeeze"): _of(places.squeeze, 1, 2),
    ("", "Sub"): _of(numbers.arithmetic("Sub"), 2, 2),
    ("", "Tanh"): _of(numbers.activation, 1, 1),
    ("", "TopK"): _of(places.top, 2, 2, "axis", "largest", "sorted", outputs=2),
    ("", "Transpose"): _of(places.transpose, 1, 1, "perm"),
    ("", "Unsqueeze"): _of(places.unsqueeze, 2, 2),
    ("", "Where"): _of(numbers.where, 3, 3),
    (MICROSOFT, "DynamicQuantizeLSTM"): _of(
        products.quantized_lstm, 12, 12, "hidden_size", "direction", outputs=3
    ),
}
