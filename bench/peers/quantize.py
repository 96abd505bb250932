"""Float ONNX models of the zoo as ONNX Runtime's int8 form: static, QDQ.

Batch norm is folded first. Activations are u8 per tensor, calibrated on the inputs that `calibrate`
runs on; weights are s8 per output channel; biases s32. Other operators stay float.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INTEGER_OPERATORS = {"Conv", "Gemm", "Add", "MaxPool", "GlobalAveragePool"}


def arrays_of(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def set_array(model, name, values):
    for tensor in list(model.graph.initializer):
        if tensor.name == name:
            model.graph.initializer.remove(tensor)
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values, order="C"), name))


def attribute(node, name, fallback):
    for item in node.attribute:
        if item.name == name:
            return helper.get_attribute_value(item)
    return fallback


def fold_batch_norm(model):
    """Each BatchNormalization after a Conv becomes part of that Conv's weight and bias."""
    arrays = arrays_of(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    for norm in [n for n in model.graph.node if n.op_type == "BatchNormalization"]:
        conv = makers[norm.input[0]]
        assert conv.op_type == "Conv" and len(conv.input) == 2, norm.name
        scale, bias, mean, variance = (arrays[name] for name in norm.input[1:])
        factor = scale / np.sqrt(variance + attribute(norm, "epsilon", 1e-5))
        set_array(model, conv.input[1], arrays[conv.input[1]] * factor[:, None, None, None])
        set_array(model, conv.name + ".bias", (bias - mean * factor).astype(np.float32))
        conv.input.append(conv.name + ".bias")
        conv.output[0] = norm.output[0]
        model.graph.node.remove(norm)
    return model


def quantized_values(model):
    """What integer operators read, and what they write unless an activation follows at once."""
    constants = set(arrays_of(model))
    readers = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    values = []
    for node in model.graph.node:
        if node.op_type not in INTEGER_OPERATORS:
            continue
        first = node.input if node.op_type == "Add" else node.input[:1]
        values += [name for name in first if name not in constants]
    for node in model.graph.node:
        following = readers.get(node.output[0], [])
        if node.op_type in INTEGER_OPERATORS and following:
            if not all(reader.op_type in ("Relu", "Clip") for reader in following):
                values.append(node.output[0])
    return list(dict.fromkeys(values))


def range_model(model, values):
    """A model whose one output, "ranges", holds the least and the largest element of each value."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    one = helper.make_tensor("ranges.one", TensorProto.INT64, [1], [1])
    result.graph.initializer.append(one)
    parts = []
    for i, value in enumerate(values):
        for reduce in ("ReduceMin", "ReduceMax"):
            name = f"ranges.{i}.{reduce}"
            result.graph.node.append(helper.make_node(reduce, [value], [name], keepdims=0))
            parts.append(name + ".1")
            result.graph.node.append(
                helper.make_node("Reshape", [name, "ranges.one"], parts[-1:]))
    result.graph.node.append(helper.make_node("Concat", parts, ["ranges"], axis=0))
    del result.graph.output[:]
    result.graph.output.append(
        helper.make_tensor_value_info("ranges", TensorProto.FLOAT, [len(parts)]))
    return result


def activation_scale(least, most):
    """Scale and zero point of u8 for a range, which is widened to hold 0."""
    least, most = min(float(least), 0.0), max(float(most), 0.0)
    scale = np.float32((most - least) / 255.0 or 1.0)
    return scale, np.uint8(np.clip(np.rint(-least / scale), 0, 255))


def quantize(path, out, calibrate):
    """Writes the int8 form of the float model `path` to `out`.

    calibrate(model) runs a model with the single output "ranges" and returns that output.
    """
    model = fold_batch_norm(onnx.load(path))
    values = quantized_values(model)
    ranges = np.asarray(calibrate(range_model(model, values))).reshape(-1, 2)
    scales = {}
    nodes = []
    quantized = {}

    def quantize_value(value):
        scale, zero = scales[value]
        set_array(model, value + ".scale", scale)
        set_array(model, value + ".zero", zero)
        parameters = [value + ".scale", value + ".zero"]
        nodes.append(helper.make_node("QuantizeLinear", [value, *parameters], [value + ".q"]))
        nodes.append(
            helper.make_node("DequantizeLinear", [value + ".q", *parameters], [value + ".dq"]))
        quantized[value] = value + ".dq"

    for value, (least, most) in zip(values, ranges):
        scales[value] = activation_scale(least, most)
    arrays = arrays_of(model)
    for item in model.graph.input:
        if item.name in scales:
            quantize_value(item.name)
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            quantize_weights(model, node, arrays, scales[node.input[0]][0], nodes)
        if node.op_type in INTEGER_OPERATORS:
            for i, name in enumerate(node.input):
                if name in quantized:
                    node.input[i] = quantized[name]
        nodes.append(node)
        for name in node.output:
            if name in scales:
                quantize_value(name)
    nodes = [copy_of(node) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    drop_unused(model)
    onnx.save(model, out)


def quantize_weights(model, node, arrays, input_scale, nodes):
    name = node.input[1]
    assert node.op_type == "Conv" or attribute(node, "transB", 0) == 1, node.name
    weights = arrays[name]
    rows = np.abs(weights.reshape(weights.shape[0], -1)).max(axis=1)
    scale = np.where(rows > 0, rows / 127.0, 1.0).astype(np.float32)
    shape = (-1,) + (1,) * (weights.ndim - 1)
    codes = np.clip(np.rint(weights / scale.reshape(shape)), -127, 127).astype(np.int8)
    add_constant(model, node, 1, name, codes, scale, nodes)
    if len(node.input) > 2:
        bias_scale = (scale * input_scale).astype(np.float32)
        bias = np.rint(arrays[node.input[2]] / bias_scale).astype(np.int32)
        add_constant(model, node, 2, node.input[2], bias, bias_scale, nodes)


def add_constant(model, node, place, name, codes, scale, nodes):
    set_array(model, name + ".codes", codes)
    set_array(model, name + ".scale", scale)
    set_array(model, name + ".zero", np.zeros(scale.shape, codes.dtype))
    inputs = [name + ".codes", name + ".scale", name + ".zero"]
    nodes.append(helper.make_node("DequantizeLinear", inputs, [name + ".dq"], axis=0))
    node.input[place] = name + ".dq"


def copy_of(node):
    result = onnx.NodeProto()
    result.CopyFrom(node)
    return result


def drop_unused(model):
    used = {name for node in model.graph.node for name in node.input}
    for tensor in list(model.graph.initializer):
        if tensor.name not in used:
            model.graph.initializer.remove(tensor)


def two_bit_product(codes, scales, out, block=128):
    """Writes y = x W^T as ONNX Runtime's MatMulNBits of 2 bits, which quantizes x as it runs.

    codes: (N, K) in {-2, ..., 1}; scales: (N), spread over the blocks of `block` weights.
    """
    rows, columns = codes.shape
    digits = (codes + 2).astype(np.uint8).reshape(rows, columns // block, block // 4, 4)
    packed = (digits << np.array([0, 2, 4, 6], np.uint8)).sum(axis=-1).astype(np.uint8)
    node = helper.make_node(
        "MatMulNBits", ["input", "codes", "scales"], ["logits"], domain="com.microsoft",
        K=columns, N=rows, bits=2, block_size=block, accuracy_level=4)
    graph = helper.make_graph(
        [node], "two_bit_product",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, columns])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, rows])],
        [numpy_helper.from_array(packed, "codes"),
         numpy_helper.from_array(np.repeat(scales[:, None], columns // block, 1).astype(np.float32),
                                 "scales")])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)])
    model.ir_version = 8
    onnx.save(model, out)
