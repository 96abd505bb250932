#!/usr/bin/env python3
"""Time of three projections of 10 million normal floats in NumPy and scikit-learn.

    python3 bench/projection_numpy.py [path of bench_projection]

Ternary by a sort and running sums, shift:2 by a sort of all events and running sums, k-means by
sklearn.cluster.KMeans. Each includes the rounding to codes. With the path of our benchmark program,
runs it in turns with NumPy and prints how many times faster it is; the least of three times counts.
"""
import json
import subprocess
import sys
import time

import numpy as np
from sklearn.cluster import KMeans

COUNT = 10_000_000
ROUNDS = 3


def ternary(w):
    magnitudes = np.sort(np.abs(w))[::-1]
    sums = np.cumsum(magnitudes, dtype=np.float64)
    counts = np.arange(1, w.size + 1)
    best = np.argmax(sums * sums / counts)
    scale = np.float32(sums[best] / counts[best])
    codes = (np.sign(w) * (np.abs(w) >= 0.5 * scale)).astype(np.int8)
    return scale, codes * scale


def shift_2(w):
    levels = np.array([0.0, 1.0, 2.0, 4.0])
    magnitudes = np.abs(w)
    events = np.concatenate([2.0 * magnitudes / (a + b) for a, b in zip(levels, levels[1:])])
    order = np.argsort(events)[::-1]
    rise = np.repeat(np.diff(levels), w.size)
    rise2 = np.repeat(np.diff(levels**2), w.size)
    s1 = np.cumsum((np.tile(magnitudes, 3) * rise)[order])
    s2 = np.cumsum(rise2[order])
    best = np.argmax(s1 * s1 / s2)
    scale = np.float32(s1[best] / s2[best])
    codes = np.searchsorted(0.5 * scale * (levels[1:] + levels[:-1]), magnitudes, side="right")
    return scale, np.sign(w) * levels[codes].astype(np.float32) * scale


def kmeans_4(w):
    model = KMeans(n_clusters=4, n_init=1, random_state=0).fit(w.reshape(-1, 1))
    return None, model.cluster_centers_.ravel()[model.labels_]


CASES = [
    ("ternary", ternary, 0.190174),
    ("shift_2", shift_2, 0.047560),
    ("kmeans_4", kmeans_4, 0.117482),
]


def ours(program, case):
    command = [
        program,
        f"--benchmark_filter=project_tensor/{case}/",
        "--benchmark_format=json",
        "--benchmark_min_time=0.1",
    ]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return 1e-9 * found["benchmarks"][0]["ns_per_weight"] * COUNT


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else None
    w = np.random.default_rng(1).standard_normal(COUNT, dtype=np.float32)
    for name, project, error in CASES:
        numpy_times, our_times = [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            _, decoded = project(w)
            numpy_times.append(time.perf_counter() - start)
            found = np.mean((w - decoded) ** 2, dtype=np.float64)
            # k-means of one start may end a little above the optimum.
            if not abs(found - error) < 0.01 * error:
                sys.exit(f"{name}: error {found}, expected {error}")
            if program:
                our_times.append(ours(program, name))
        line = f"{name:10} NumPy {min(numpy_times):8.3f} s"
        if program:
            line += f"   ours {min(our_times):6.3f} s"
            line += f"   {min(numpy_times) / min(our_times):6.1f} times faster"
        print(line, flush=True)


if __name__ == "__main__":
    main()
