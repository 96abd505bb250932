#!/usr/bin/env python3
"""Average precision of one class by the definitions, with numpy.

Reads lines "truth IMAGE DIFFICULT LEFT TOP RIGHT BOTTOM" and "found IMAGE SCORE LEFT TOP RIGHT BOTTOM",
then "extra E"; prints the 11-point value and the area for an overlap of 0.5 and more.
"""
import sys
from fractions import Fraction

import numpy as np

truths, found, extra = {}, [], 0.0
for line in sys.stdin:
    kind, *values = line.split()
    if kind == "truth":
        truths.setdefault(int(values[0]), []).append([float(v) for v in values[1:]])
    elif kind == "found":
        found.append((float(values[1]), int(values[0]), np.array(values[2:], dtype=float)))
    else:
        extra = float(values[0])

taken = {image: np.zeros(len(boxes), dtype=bool) for image, boxes in truths.items()}
counted = sum(1 for boxes in truths.values() for box in boxes if box[0] == 0)
hits, alarms, points = 0, 0, []
for place in np.argsort([-score for score, _, _ in found], kind="stable"):
    _, image, box = found[place]
    table = np.array(truths.get(image, []), dtype=float).reshape(-1, 5)
    sides = np.minimum(table[:, 3:], box[2:]) - np.maximum(table[:, 1:3], box[:2]) + extra
    both = np.prod(np.maximum(sides, 0), axis=1)
    sizes = np.prod(table[:, 3:] - table[:, 1:3] + extra, axis=1)
    overlaps = both / (sizes + np.prod(box[2:] - box[:2] + extra) - both)
    best = int(np.argmax(overlaps)) if len(overlaps) else -1
    if best >= 0 and overlaps[best] >= 0.5:
        if table[best, 0]:
            continue
        if taken[image][best]:
            alarms += 1
        else:
            taken[image][best] = True
            hits += 1
    else:
        alarms += 1
    points.append((Fraction(hits, counted), Fraction(hits, hits + alarms)))


def best_from(recall):
    return max((p for r, p in points if r >= recall), default=Fraction(0))


eleven = sum(best_from(Fraction(tenth, 10)) for tenth in range(11)) / 11
area, before = Fraction(0), Fraction(0)
for recall in sorted({r for r, _ in points}):
    area += (recall - before) * best_from(recall)
    before = recall
print(repr(float(eleven)), repr(float(area)))
