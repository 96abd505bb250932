"""Float ONNX models of the zoo as ncnn's files, in float or for its arithmetic of 8-bit integers.

Batch norm is folded first; an activation behind a convolution becomes part of it, as ncnn's own
tools do. In the integer form activations are s8 per tensor, calibrated on the inputs that
`calibrate` runs on, and weights s8 per output channel, which ncnn makes of the floats when it loads
them. Between two convolutions values stay integers.
"""

import struct

import numpy as np
import onnx

from quantize import arrays_of, attribute, fold_batch_norm, range_model

MAGIC = 7767517
FLOATS = struct.pack("<I", 0)  # before weights: they are 32-bit floats


class Writer:
    def __init__(self, model):
        self.model = model
        self.arrays = arrays_of(model)
        self.nodes = list(model.graph.node)
        self.lines = []
        self.weights = []
        self.left = {}  # value -> blobs of its copies that are not read yet

    def readers(self, value):
        return [node for node in self.nodes if value in node.input]

    def layer(self, kind, name, inputs, value, values=None):
        """Adds a layer that makes `value`, with a copy of it for each reader."""
        sources = [self.left[source].pop() for source in inputs]
        self.lines.append([kind, name, sources, [value], values or {}])
        count = sum(list(node.input).count(value) for node in self.nodes)
        self.left[value] = [value]
        if count > 1:
            self.left[value] = [f"{value}.{i}" for i in range(count)]
            self.lines.append(["Split", f"{name}.split", [value], list(self.left[value]), {}])

    def activation(self, node):
        """The activation that alone reads what `node` makes, with its parameters."""
        readers = self.readers(node.output[0])
        if len(readers) != 1 or readers[0].op_type not in ("Relu", "Clip"):
            return None, {}
        if readers[0].op_type == "Relu":
            return readers[0], {9: 1}
        low, high = (float(self.arrays[name]) for name in readers[0].input[1:])
        return readers[0], {9: 3, -23310: f"2,{low!r},{high!r}"}

    def weighted(self, node, scales):
        weight = self.arrays[node.input[1]]
        activation, values = self.activation(node)
        value = activation.output[0] if activation else node.output[0]
        bias = self.arrays[node.input[2]] if len(node.input) > 2 else None
        channels = weight.shape[0]
        if node.op_type == "Gemm":
            assert attribute(node, "transB", 0) == 1, node.name
            kind = "InnerProduct"
            values |= {0: channels, 1: int(bias is not None), 2: weight.size}
            integer = 2
        else:
            kernel = weight.shape[2:]
            strides = attribute(node, "strides", [1, 1])
            pads = attribute(node, "pads", [0, 0, 0, 0])
            group = attribute(node, "group", 1)
            assert attribute(node, "dilations", [1, 1]) == [1, 1], node.name
            kind = "Convolution" if group == 1 else "ConvolutionDepthWise"
            values |= {0: channels, 1: kernel[1], 11: kernel[0], 3: strides[1], 13: strides[0],
                       4: pads[1], 14: pads[0], 15: pads[3], 16: pads[2],
                       5: int(bias is not None), 6: weight.size}
            if group > 1:
                values |= {7: group}
            integer = 2 if group == 1 else 1
        parts = [FLOATS, weight.astype("<f4").tobytes()]
        if bias is not None:
            parts.append(bias.astype("<f4").tobytes())
        if scales:
            largest = np.abs(weight.reshape(channels, -1)).max(axis=1)
            parts.append((127.0 / np.where(largest > 0, largest, 1.0)).astype("<f4").tobytes())
            parts.append(struct.pack("<f", scales[node.input[0]]))
            following = self.readers(value)
            if kind != "InnerProduct" and following and all(
                    reader.op_type == "Conv" for reader in following):
                integer += 100
                parts.append(struct.pack("<f", scales[value]))
            values |= {8: integer}
        self.weights += parts
        self.layer(kind, node.name, node.input[:1], value, values)
        return activation

    def add(self, node, scales):
        """Adds a node's layer; returns an activation that became part of it."""
        value = node.output[0]
        if node.op_type in ("Conv", "Gemm"):
            return self.weighted(node, scales)
        if node.op_type == "MaxPool":
            kernel = attribute(node, "kernel_shape", None)
            strides = attribute(node, "strides", [1, 1])
            pads = attribute(node, "pads", [0, 0, 0, 0])
            values = {0: 0, 1: kernel[1], 11: kernel[0], 2: strides[1], 12: strides[0], 3: pads[1],
                      13: pads[0], 14: pads[3], 15: pads[2], 5: 1}  # 5: sizes are rounded down
            self.layer("Pooling", node.name, node.input, value, values)
        elif node.op_type == "GlobalAveragePool":
            self.layer("Pooling", node.name, node.input, value, {0: 1, 4: 1})
        elif node.op_type == "Clip":
            low, high = (float(self.arrays[name]) for name in node.input[1:])
            self.layer("Clip", node.name, node.input[:1], value, {0: repr(low), 1: repr(high)})
        else:
            kind = {"Relu": "ReLU", "Tanh": "TanH", "Add": "BinaryOp",
                    "Flatten": "Flatten"}[node.op_type]
            self.layer(kind, node.name, node.input, value)
        return None

    def write(self, out, scales):
        self.layer("Input", "input", [], self.model.graph.input[0].name)
        fused = []
        for node in self.nodes:
            if not any(node is other for other in fused):
                fused.append(self.add(node, scales))
        blobs = sum(len(outputs) for _, _, _, outputs, _ in self.lines)
        text = [str(MAGIC), f"{len(self.lines)} {blobs}"]
        for kind, name, inputs, outputs, values in self.lines:
            text.append(" ".join([kind, name, str(len(inputs)), str(len(outputs)), *inputs,
                                  *outputs, *(f"{key}={value}" for key, value in values.items())]))
        out.write_text("\n".join(text) + "\n")
        out.with_suffix(".bin").write_bytes(b"".join(self.weights))


def write_ncnn(path, out, calibrate=None):
    """Writes the float model `path` as `out`, a Path that ends in .param, and its weights beside it.

    calibrate(model) runs a model with the single output "ranges" and returns that output; with it
    the form for integers is written.
    """
    model = fold_batch_norm(onnx.load(path))
    scales = {}
    if calibrate:
        values = list(dict.fromkeys(
            node.input[0] for node in model.graph.node if node.op_type in ("Conv", "Gemm")))
        ranges = np.asarray(calibrate(range_model(model, values))).reshape(-1, 2)
        scales = {value: 127.0 / (float(np.abs(pair).max()) or 1.0)
                  for value, pair in zip(values, ranges)}
    Writer(model).write(out, scales)
