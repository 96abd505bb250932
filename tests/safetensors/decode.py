"""Decodes a safetensors file of low-bit weights, with nothing but Python: prints each weight's name and
its values, rounded to float32, as hexadecimal. What docs/own-loop.md says, and no line of LastBit."""
import json
import struct
import sys


def product(sizes):
    result = 1
    for size in sizes:
        result *= size
    return result


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


with open(sys.argv[1], "rb") as file:
    content = file.read()
(length,) = struct.unpack("<Q", content[:8])
header = json.loads(content[8 : 8 + length])
data = content[8 + length :]


def tensor(name):
    entry = header[name]
    kind = {"U8": "B", "F32": "f", "I64": "q"}[entry["dtype"]]
    begin, end = entry["data_offsets"]
    values = struct.unpack("<%d%s" % (product(entry["shape"]), kind), data[begin:end])
    return entry["shape"], list(values)


PREFIX = "lastbit.v1.set."
for key in sorted(header["__metadata__"]):
    if not key.startswith(PREFIX):
        continue
    name = key[len(PREFIX) :]
    _, packed = tensor(name + ".codes")
    _, levels = tensor(name + ".codebook")
    scale_shape, scales = tensor(name + ".scales")
    _, shape = tensor(name + ".shape")
    radix, count = len(levels), product(shape)
    in_byte = 1
    while radix ** (in_byte + 1) <= 256:
        in_byte += 1
    digits = [byte // radix**place % radix for byte in packed for place in range(in_byte)][:count]

    def scale(index):
        if name + ".group" in header:
            group, before, after = tensor(name + ".group")[1]
            channels, runs = scale_shape[:2]
            b, c, a = index // (channels * after), index // after % channels, index % after
            return scales[c * runs + (b * after + a) // group]
        if len(scales) == 1:
            return scales[0]
        axis = [size > 1 for size in scale_shape].index(True)
        return scales[index // product(shape[axis + 1 :]) % shape[axis]]

    values = [float32(levels[digit] * scale(i)) for i, digit in enumerate(digits)]
    print(name, struct.pack("<%df" % count, *values).hex())
