"""What a graph may be before a runtime is given it."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sentilab import models
from sentilab.bundle.onnx_check import Checked, check_onnx
from sentilab.bundle.onnx_graph import onnx_graph
from sentilab.models import Task

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

WORDS, LENGTH = 60, 20


def written(name: str = "bilstm1", classes: int = 2, **settings: Any) -> Any:
    task = Task(words=WORDS, length=LENGTH, classes=classes)
    return onnx_graph(models.build(name, task, {"embedding": 8, "units": 8, **settings}))


@pytest.fixture(scope="module")
def masked() -> Any:
    """The graph with the most kinds of operators."""
    return written(masked=True)


def check(made: Any, labels: int = 2, words: int = WORDS, length: int | None = LENGTH) -> Checked:
    content = made if isinstance(made, bytes) else made.SerializeToString()
    return check_onnx(content, labels=labels, words=words, length=length)


def copy(made: Any) -> Any:
    other = onnx.ModelProto()
    other.CopyFrom(made)
    return other


def node(made: Any, operator: str) -> Any:
    return next(one for one in made.graph.node if one.op_type == operator)


def weights(made: Any) -> Any:
    """The first constant that is no single number."""
    return next(one for one in made.graph.initializer if len(one.dims) > 1)


@pytest.mark.parametrize("name", ["bilstm1", "bilstm2", "mlp"])
@pytest.mark.parametrize("classes", [2, 3])
def test_every_models_graph_passes(name: str, classes: int) -> None:
    check(written(name, classes), classes)


@pytest.mark.parametrize("masked", [False, True])
def test_what_quantisation_makes_of_it_passes(masked: bool, tmp_path: Any) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    path, smaller = tmp_path / "model.onnx", tmp_path / "model.int8.onnx"
    path.write_bytes(written("bilstm2", masked=masked).SerializeToString())
    quantization.quantize_dynamic(path, smaller)
    check(smaller.read_bytes())


def test_it_is_told_whether_padding_is_masked_and_what_a_text_takes(masked: Any) -> None:
    assert check(masked).masked
    assert not check(written("bilstm2")).masked
    assert not check(written("mlp")).masked
    short, long = (check(masked, length=length).held for length in (20, 200))
    # Gates of 2 directions x 4 x 8 a token are the most of it.
    assert 20 * 64 < short < long < 10 * short + 1_000


def test_windows_and_pooling_pass() -> None:
    import keras

    words = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(WORDS, 6)(words)
    x = keras.layers.Conv1D(8, 3, strides=2, dilation_rate=1, activation="relu")(x)
    x = keras.layers.GlobalMaxPooling1D()(x)
    check(onnx_graph(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x))))


def test_a_graph_for_other_labels_words_or_lengths_is_refused(masked: Any) -> None:
    with pytest.raises(ValueError, match=r"of shape \(texts, 3\)"):
        check(masked, labels=3)
    with pytest.raises(ValueError, match="row 60 of 60"):
        check(masked, words=WORDS + 1)
    with pytest.raises(ValueError, match="20 tokens of a text, where 21"):
        check(written("mlp"), length=LENGTH + 1)


Change = Callable[[Any], None]


def _other_operator(made: Any) -> None:
    node(made, "Sigmoid").op_type = "Softsign"


def _other_domain(made: Any) -> None:
    node(made, "Sigmoid").domain = "evil"


def _external(made: Any) -> None:
    tensor = weights(made)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def _function(made: Any) -> None:
    made.functions.add(name="Sigmoid", domain="")


def _subgraph(made: Any) -> None:
    attribute = node(made, "Sigmoid").attribute.add(name="body", type=onnx.AttributeProto.GRAPH)
    attribute.g.CopyFrom(helper.make_graph([], "body", [], []))


def _training(made: Any) -> None:
    made.training_info.add()


def _more_dimensions(made: Any) -> None:
    weights(made).dims[0] = 1 << 40


def _negative_dimension(made: Any) -> None:
    weights(made).dims[0] = -1


def _endless_range(made: Any) -> None:
    name = node(made, "Range").input[2]
    step = next(one for one in made.graph.initializer if one.name == name)
    step.CopyFrom(numpy_helper.from_array(np.array([0], np.int64), name))


def _other_unit_count(made: Any) -> None:
    units = next(one for one in node(made, "LSTM").attribute if one.name == "hidden_size")
    units.i = 1 << 20


def _custom_activations(made: Any) -> None:
    node(made, "LSTM").attribute.append(helper.make_attribute("activations", ["Relu"] * 6))


def _lengths_beyond_the_text(made: Any) -> None:
    # Twice as many tokens as there are: were they read, it would be past the end.
    made.graph.node.insert(
        next(n for n, one in enumerate(made.graph.node) if one.op_type == "LSTM"),
        helper.make_node("Add", [node(made, "ReduceSum").output[0]] * 2, ["twice"]),
    )
    made.graph.node.insert(
        next(n for n, one in enumerate(made.graph.node) if one.op_type == "LSTM"),
        helper.make_node("Cast", ["twice"], ["twice32"], to=6),
    )
    node(made, "LSTM").input[4] = "twice32"


def _tokens_from_beyond_the_text(made: Any) -> None:
    column = helper.make_node("Unsqueeze", [node(made, "Add").output[0], "two"], ["column"])
    made.graph.initializer.append(numpy_helper.from_array(np.array([2], np.int64), "two"))
    taken = node(made, "GatherND")
    made.graph.node.insert(list(made.graph.node).index(taken), column)
    node(made, "GatherND").input[1] = "column"


def _backwards(made: Any) -> None:
    nodes = list(made.graph.node)
    del made.graph.node[:]
    made.graph.node.extend(reversed(nodes))


def _computed_twice(made: Any) -> None:
    made.graph.node.append(copy_of_node(node(made, "Identity")))


def copy_of_node(one: Any) -> Any:
    other = onnx.NodeProto()
    other.CopyFrom(one)
    return other


def _second_input(made: Any) -> None:
    made.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, ["texts"]))


def _constant_as_input(made: Any) -> None:
    made.graph.initializer.append(numpy_helper.from_array(np.zeros((2, 2), np.int32), "ids"))


def _texts_as_values(made: Any) -> None:
    made.graph.initializer.append(numpy_helper.from_array(np.array(["a"], object), "texts"))


def _sparse(made: Any) -> None:
    made.graph.sparse_initializer.add()


def _outer_product(made: Any) -> None:
    table = np.ones((1, 1 << 13), np.float32)
    made.graph.initializer.append(numpy_helper.from_array(table, "wide"))
    last = node(made, "Sigmoid").output[0]
    kinds = [one.op_type for one in made.graph.node]
    at = kinds.index("Identity")
    for n, nodes in enumerate(
        [
            helper.make_node("MatMul", [last, "wide"], ["w0"]),
            helper.make_node("Transpose", ["wide"], ["column"], perm=[1, 0]),
            helper.make_node("Add", ["column", "wide"], ["square"]),
            helper.make_node("MatMul", ["w0", "square"], ["w1"]),
            helper.make_node("MatMul", ["square", "square"], ["cube"]),
        ]
    ):
        made.graph.node.insert(at + n, nodes)


CHANGES: list[tuple[Change, str]] = [
    (_other_operator, "Softsign.*not among those"),
    (_other_domain, "not among those"),
    (_external, "a field, number 13"),
    (_function, "a field, number 25"),
    (_subgraph, "a field, number 6"),
    (_training, "a field, number 20"),
    (_sparse, "a field, number 15"),
    (_more_dimensions, "constant_.*asks for"),
    (_negative_dimension, "is no shape"),
    (_endless_range, "its step is 0"),
    (_other_unit_count, "LSTM"),
    (_custom_activations, "attribute|field, number 9"),
    (_lengths_beyond_the_text, "its lengths could be others"),
    (_tokens_from_beyond_the_text, "it could ask for"),
    (_backwards, "not computed before"),
    (_computed_twice, "computed twice"),
    (_second_input, "its only input"),
    (_constant_as_input, "also a constant"),
    (_texts_as_values, "a field, number 6|values of type 8"),
    (_outer_product, "more than"),
]


@pytest.mark.parametrize(("change", "why"), CHANGES, ids=lambda one: getattr(one, "__name__", ""))
def test_what_no_bundle_may_hold_is_refused_with_the_reason(
    masked: Any, change: Change, why: str
) -> None:
    made = copy(masked)
    change(made)
    with pytest.raises(ValueError, match=why):
        check(made)


@pytest.fixture(scope="module")
def of_ngrams() -> Any:
    """A graph with arithmetic on the numbers of n-grams, and the operators around it."""
    import keras

    from sentilab import layers
    from sentilab.layers.ngrams import Ngrams, NgramSums

    words = keras.Input((None,), dtype="int32")
    sums = NgramSums(40, 2, norms=1)(Ngrams(2, 40)(words))
    vectors = layers.Embedding(21, 4)(layers.HashedNgrams(2, 20)(words))
    vectors = keras.layers.LayerNormalization()(keras.layers.Reshape((-1, 4))(vectors))
    vectors = keras.layers.Conv1D(3, 2, padding="same")(vectors)
    x = keras.layers.Concatenate()([sums, layers.Pooling("mean")(vectors)])
    return onnx_graph(keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(x)))


def test_ngrams_pass_at_any_length(of_ngrams: Any) -> None:
    for length in (1, 2, LENGTH, 2_500):
        check(of_ngrams, length=length)


def _set(made: Any, operator: str, number: int, value: Any) -> None:
    """Another constant as the input of this number of the first such node."""
    made.graph.initializer.append(numpy_helper.from_array(np.asarray(value), "set"))
    node(made, operator).input[number] = "set"


def _shift_by_all_bits(made: Any) -> None:
    _set(made, "BitShift", 1, np.uint32(32))


def _shift_to_nowhere(made: Any) -> None:
    node(made, "BitShift").attribute[0].s = b"UP"


def _remainder_by_nothing(made: Any) -> None:
    _set(made, "Mod", 1, np.uint32(0))


def _remainder_beyond_the_table(made: Any) -> None:
    for one in made.graph.node:
        if one.op_type == "Mod":
            made.graph.initializer.append(
                numpy_helper.from_array(np.asarray(1 << 30, np.uint32), f"m{one.output[0]}")
            )
            one.input[1] = f"m{one.output[0]}"


def _more_than_there_are(made: Any) -> None:
    _set(made, "TopK", 1, np.array([LENGTH + 1], np.int64))


def _no_order(made: Any) -> None:
    next(one for one in node(made, "TopK").attribute if one.name == "sorted").i = 0


def _padded_without_end(made: Any) -> None:
    _set(made, "Pad", 1, np.array([0, 1 << 40, 0, 0], np.int64))


def _more_taken_away_than_there_is(made: Any) -> None:
    _set(made, "Pad", 1, np.array([0, 1, 0, -LENGTH - 2], np.int64))


def _computed_pads(made: Any) -> None:
    node(made, "Pad").input[1] = node(made, "Cast").output[0]


def _limits_that_do_not_fit(made: Any) -> None:
    _set(made, "Slice", 1, np.array([0, 0], np.int64))


def _scale_of_another_width(made: Any) -> None:
    _set(made, "LayerNormalization", 1, np.ones(5, np.float32))


def _choice_by_numbers(made: Any) -> None:
    node(made, "Where").input[0] = node(made, "Cast").output[0]


def _windows_padded_below_nothing(made: Any) -> None:
    next(one for one in node(made, "Conv").attribute if one.name == "pads").ints[0] = -1


def _a_dimension_twice(made: Any) -> None:
    _set(made, "Unsqueeze", 1, np.array([2, 2], np.int64))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_shift_by_all_bits, "could shift by 32 bits"),
        (_shift_to_nowhere, "its direction is none"),
        (_remainder_by_nothing, "its divisor could be 0"),
        (_remainder_beyond_the_table, "could ask for row 1,073,741,82"),
        (_more_than_there_are, "it takes 21 of 20"),
        (_no_order, "its order"),
        (_padded_without_end, "it pads by too many"),
        (_more_taken_away_than_there_is, "more than there is"),
        (_computed_pads, "is of type uint32"),
        (_limits_that_do_not_fit, "its limits do not fit"),
        (_scale_of_another_width, "must be a constant of shape"),
        (_choice_by_numbers, "its input 0 is of type"),
        (_windows_padded_below_nothing, "its padding is none"),
        (_a_dimension_twice, "names a dimension twice"),
    ],
)
def test_ngrams_that_no_bundle_may_hold_are_refused(
    of_ngrams: Any, change: Change, why: str
) -> None:
    made = copy(of_ngrams)
    change(made)
    with pytest.raises(ValueError, match=why):
        check(made)


def test_data_in_another_file_are_refused_however_they_are_marked(masked: Any) -> None:
    made = copy(masked)
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    with pytest.raises(ValueError, match="another file"):
        check(made)


def test_a_file_that_ends_anywhere_is_refused(masked: Any) -> None:
    content = masked.SerializeToString()
    for end in range(0, len(content), 7):
        # Where the file ends between two parts, what is left is a whole message; it lacks something.
        with pytest.raises(ValueError):
            check(content[:end])


@pytest.mark.parametrize("graph", ["masked", "of_ngrams"])
def test_flipped_bits_end_in_a_value_error_or_in_a_graph_that_fits(
    graph: str, request: pytest.FixtureRequest
) -> None:
    content = request.getfixturevalue(graph).SerializeToString()
    chance = random.Random(5)
    refused = 0
    for _ in range(1_500):
        changed = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        said = ""
        try:
            check(bytes(changed))
        except ValueError as error:
            said = str(error)
        refused += bool(said)
        assert len(said) < 400
    assert refused > 100  # the rest fell on weights


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 40, b"PK\x03\x04", b"\x3a\xff\xff\xff\x7f"]
)
def test_what_is_no_graph_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):
        check(content)


def test_a_field_given_twice_is_refused_since_readers_differ_about_it(masked: Any) -> None:
    content = masked.SerializeToString()
    with pytest.raises(ValueError, match="two of"):
        check(content + content)
