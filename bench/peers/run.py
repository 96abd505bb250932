#!/usr/bin/python3
"""LastBit beside other runtimes: times of the same networks, taken in turns.

    bench/peers/run.py --lastbit build/runtime/bin/lastbit --onnxruntime build/onnxruntime \\
        --worker build/runtime/bench/bench_peer_onnxruntime --markdown speed.md --json speed.json

Needs Debian's python3-onnx, and onnxruntime-node as `scripts/test` installs it. Each contestant
runs for a second, one after the other, and that in rounds; a ratio is that of two times of one
round, and the table has the median over the rounds with the least and the largest. Outputs are
compared first. Run it on an idle machine: it says how busy it was.

Another runtime takes part with --peer NAME=COMMAND: a program that is called and answers as
worker.h says; it gets the float model. LibTorch's is bench_peer_libtorch. With
NAME@NETWORK=COMMAND it takes part in one network alone.

ggml takes part in `product`, with the ternary matrix in its format TQ2_0, and ncnn in all networks,
where their programs are named:

    cmake --install GGML/build --prefix GGML/installed       # after building it as it says; so ncnn
    cmake --preset runtime -DLASTBIT_BENCH=ON -DLASTBIT_PEER_GGML=GGML/installed \\
        -DLASTBIT_PEER_NCNN=NCNN/installed
    bench/peers/run.py ... --ggml build/runtime/bench/bench_peer_ggml \\
        --ncnn build/runtime/bench/bench_peer_ncnn
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx

from contestants import Failure, LastBit, Worker, memory, output_of, wall_time
from ncnn_model import write_ncnn
from quantize import arrays_of, quantize, two_bit_product

IMAGENET = {"sizes": [3, 224, 224], "classes": 1000}
NETWORKS = {
    "resnet18": IMAGENET,
    "vgg16": {"sizes": [3, 32, 32], "classes": 10},
    "mobilenetv2": {**IMAGENET, "rules": ["*.expand={}", "*.project={}", "head={}"]},
    "resnet20": {"sizes": [3, 32, 32], "classes": 10},
    "lenet5": {"sizes": [1, 28, 28], "classes": 10},
    "lenet300": {"sizes": [1, 28, 28], "classes": 10},
    "product": {"sizes": [4096], "classes": 4096, "architecture": "mlp"},
}
SETS = ["ternary", "binary"]


class Bench:
    def __init__(self, options, folder):
        self.options = options
        self.folder = folder
        library = sorted(Path(options.onnxruntime).glob(
            "node_modules/onnxruntime-node/bin/napi-v*/linux/*/libonnxruntime.so.1"))
        machine = {"x86_64": "x64", "aarch64": "arm64"}[os.uname().machine]
        library = [path for path in library if path.parent.name == machine]
        if not library:
            raise Failure(f"no onnxruntime-node in {options.onnxruntime}, "
                          "expected it as scripts/test installs it")
        self.onnxruntime = [options.worker, str(library[-1])]
        help_text = output_of([options.lastbit, "bench", "--help"])
        self.activations = ["float", "int8"] if "--activations" in help_text else [None]
        self.peers = dict(peer.split("=", 1) for peer in options.peer)
        self.random = np.random.default_rng(1)

    def model(self, name, kind):
        """The path of network `name`, in float or with weights of the set `kind`, once written."""
        path = self.folder / f"{name}-{kind}.onnx"
        if not path.exists():
            network = NETWORKS[name]
            command = [self.options.lastbit, "zoo", network.get("architecture", name),
                       "--input", ",".join(map(str, network["sizes"])),
                       "--classes", str(network["classes"]), "--center", "none", "--out", path]
            for rule in network.get("rules", ["{}"]) if kind != "float" else []:
                command += ["--codebook", rule.format(kind)]
            output_of(command)
        return path

    def onnx_worker(self, name, path, threads=1):
        network = NETWORKS[name]
        return Worker(self.onnxruntime, path, threads, network["sizes"], network["classes"])

    def calibration(self, name):
        """Runs a model that has the single output "ranges" on one random input."""

        def calibrate(model):
            onnx.save(model, self.folder / "ranges.onnx")
            count = model.graph.output[0].type.tensor_type.shape.dim[0].dim_value
            worker = Worker(self.onnxruntime, self.folder / "ranges.onnx", 1,
                            NETWORKS[name]["sizes"], count, "ranges")
            ranges = worker.outputs(self.folder, self.inputs(name), count)
            worker.close()
            return ranges

        return calibrate

    def quantized(self, name):
        """Network `name` as ONNX Runtime's int8, calibrated on one random input."""
        path = self.folder / f"{name}-int8.onnx"
        quantize(str(self.model(name, "float")), str(path), self.calibration(name))
        return path

    def two_bit(self):
        """The ternary matrix of `product` as ONNX Runtime's MatMulNBits."""
        path = self.folder / "product-2bit.onnx"
        model = onnx.load(str(self.model("product", "ternary")))
        arrays = arrays_of(model)
        call = next(node for node in model.graph.node if node.op_type == "Decode")
        packed, places, levels, scales = (arrays[name] for name in call.input)
        digits = packed.astype(np.int32) // places % len(levels)
        rows = NETWORKS["product"]["classes"]
        codes = digits.reshape(-1)[:rows * 4096].reshape(rows, 4096) - 1
        if list(levels) != [-1, 0, 1]:
            raise Failure(f"the levels of {path} are {levels}, expected -1, 0, 1")
        two_bit_product(codes, np.repeat(scales, rows // scales.size), str(path))
        return path

    def inputs(self, name):
        return self.random.random([1, *NETWORKS[name]["sizes"]], np.float32)

    def lastbit_outputs(self, name, path, inputs):
        classes = NETWORKS[name]["classes"]
        labels = np.array([classes - 1])
        np.savez(self.folder / "data.npz", x_train=inputs, y_train=labels, x_test=inputs,
                 y_test=labels)
        out = self.folder / "outputs.npy"
        output_of([self.options.lastbit, "run", path, "--data", self.folder / "data.npz",
                   "--out", out])
        return np.load(out).reshape(-1)

    def difference(self, name, path, worker):
        """Largest difference of our outputs from a worker's, over its largest output."""
        inputs = self.inputs(name)
        theirs = worker.outputs(self.folder, inputs, NETWORKS[name]["classes"])
        worker.close()
        ours = self.lastbit_outputs(name, path, inputs)
        if not np.all(np.isfinite(ours)) or not np.any(ours):
            raise Failure(f"{path}: the outputs are not finite or all 0")
        return float(np.abs(ours - theirs).max() / np.abs(theirs).max())

    def check(self, name):
        """Equal floats must give equal outputs; how far integers are off is reported."""
        base = self.model(name, "float")
        pairs = [(path, self.onnx_worker(name, path))
                 for path in (self.model(name, kind) for kind in ["float", *SETS])]
        pairs += [(base, worker) for worker in self.peer_workers(name, 1).values()]
        for path, worker in pairs:
            difference = self.difference(name, path, worker)
            if not difference <= 1e-3:
                raise Failure(f"{path}: outputs differ from those of {worker.command[0]} by "
                              f"{difference:.1e} of the largest, expected at most 1e-3")
        if name == "product":
            base, path = self.model(name, "ternary"), self.two_bit()
        else:
            path = self.quantized(name)
        difference = self.difference(name, base, self.onnx_worker(name, path))
        if not difference <= 0.25:
            raise Failure(f"{path}: outputs differ by {difference:.1e} of the largest, "
                          "expected at most 0.25")
        others = {}
        for label, (worker, kind, most) in self.others(name, 1).items():
            others[label] = self.difference(name, self.model(name, kind), worker)
            if not others[label] <= most:
                raise Failure(f"{label}: outputs differ by {others[label]:.1e} of the largest, "
                              f"expected at most {most}")
        return {"integer_peer_difference": difference, "other_differences": others}

    def others(self, name, threads):
        """ggml's and ncnn's workers by label, each with the kind of our model that it computes and
        how far its outputs may be off.
        """
        network = NETWORKS[name]

        def worker(command, model):
            return Worker(command, model, threads, network["sizes"], network["classes"])

        result = {}
        if self.options.ggml and name == "product":
            # TQ2_0 rounds the scale to 11 bits and the vector to 8, each by its largest element.
            result["ggml TQ2_0"] = (
                worker([self.options.ggml], self.model(name, "ternary")), "ternary", 0.03)
        if self.options.ncnn:
            floats, integers = self.ncnn_models(name)
            for precision, model, most in [
                    ("fp32", floats, 1e-3), ("bf16", floats, 0.25), ("int8", integers, 0.25)]:
                result[f"ncnn {precision}"] = (
                    worker([self.options.ncnn, precision], model), "float", most)
        return result

    def ncnn_models(self, name):
        paths = [self.folder / f"{name}-ncnn-{kind}.param" for kind in ("float", "int8")]
        for path, calibrate in zip(paths, [None, self.calibration(name)]):
            if not path.exists():
                write_ncnn(str(self.model(name, "float")), path, calibrate)
        return paths

    def peer_workers(self, name, threads):
        network = NETWORKS[name]
        result = {}
        for peer, command in self.peers.items():
            label, _, only = peer.partition("@")
            if only in ("", name):
                result[label] = Worker(shlex.split(command), self.model(name, "float"), threads,
                                       network["sizes"], network["classes"])
        return result

    def contestants(self, name, threads):
        result = {"ONNX Runtime fp32": self.onnx_worker(name, self.model(name, "float"), threads)}
        if name == "product":
            label, path = "ONNX Runtime 2-bit", self.folder / "product-2bit.onnx"
        else:
            label, path = "ONNX Runtime int8", self.folder / f"{name}-int8.onnx"
        result[label] = self.onnx_worker(name, path, threads)
        result.update({label: worker for label, (worker, _, _) in
                       self.others(name, threads).items()})
        result.update(self.peer_workers(name, threads))
        for activations in self.activations:
            for kind in ["float", *SETS] if activations != "int8" else SETS:
                label = f"LastBit {kind}" + (f", {activations}" if activations else "")
                result[label] = LastBit(
                    self.options.lastbit, str(self.model(name, kind)), threads, activations)
        return result

    def measure(self, name, threads):
        contestants = self.contestants(name, threads)
        rounds = {label: [] for label in contestants}
        for _ in range(self.options.rounds):
            for label, contestant in contestants.items():
                rounds[label].append(contestant.time(self.options.seconds))
        for contestant in contestants.values():
            contestant.close()
        return rounds

    def loading(self, name):
        """Of fresh processes: wall time over a first result to the end, and memory at work."""
        contestants = {"ONNX Runtime fp32": self.onnx_worker(name, self.model(name, "float")),
                       "ONNX Runtime int8": self.onnx_worker(
                           name, self.folder / f"{name}-int8.onnx")}
        for activations in self.activations:
            for kind in ["float", *SETS]:
                label = f"LastBit {kind}" + (f", {activations}" if activations else "")
                contestants[label] = LastBit(
                    self.options.lastbit, str(self.model(name, kind)), 1, activations)
        result = {label: {"ms": [], "resident_mb": [], "peak_mb": []} for label in contestants}
        for _ in range(self.options.rounds):
            for label, contestant in contestants.items():
                result[label]["ms"].append(wall_time(*contestant.fresh(0.001)))
                resident, peak = memory(*contestant.fresh(self.options.seconds))
                result[label]["resident_mb"].append(resident)
                result[label]["peak_mb"].append(peak)
        return result


def spread(values, digits):
    middle, least, most = (
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} [{least}-{most}]"


def time_table(name, threads, rounds):
    """Rows of Markdown: each contestant's time, and how many times faster than each peer it is."""
    peers = [label for label in rounds if not label.startswith("LastBit")]
    lines = [f"### {name}, {threads} thread{'s' if threads > 1 else ''}", "",
             "| contestant | ms | " + " | ".join(f"against {peer}" for peer in peers) + " |",
             "|---|---" + "|---" * len(peers) + "|"]
    for label, times in rounds.items():
        cells = [label, f"{statistics.median(times):.3f}"]
        for peer in peers:
            ratios = [theirs / ours for theirs, ours in zip(rounds[peer], times)]
            cells.append("" if label == peer else spread(ratios, 2))
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""]


def loading_table(name, result):
    lines = [f"### Loading {name}", "",
             "Fresh processes: wall time from the start over a first result to the end; resident "
             "memory while it runs, and its peak.", "",
             "| contestant | ms | resident MB | peak MB |", "|---|---|---|---|"]
    for label, figures in result.items():
        cells = [spread(figures["ms"], 0), spread(figures["resident_mb"], 1),
                 spread(figures["peak_mb"], 1)]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return lines + [""]


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lastbit", required=True, help="the program lastbit")
    parser.add_argument("--onnxruntime", required=True, help="folder with node_modules")
    parser.add_argument("--worker", required=True, help="the program bench_peer_onnxruntime")
    parser.add_argument("--ggml", metavar="PROGRAM", help="the program bench_peer_ggml")
    parser.add_argument("--ncnn", metavar="PROGRAM", help="the program bench_peer_ncnn")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME[@NETWORK]=COMMAND")
    parser.add_argument("--networks", default=",".join(NETWORKS), help="which, by commas")
    parser.add_argument("--threads", default="1,2", help="thread counts, by commas")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn")
    parser.add_argument("--markdown", help="file for the tables; none prints them")
    parser.add_argument("--json", help="file for every time of every round")
    options = parser.parse_args(arguments)
    unknown = set(options.networks.split(",")) - set(NETWORKS)
    if unknown:
        parser.error(f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}")
    if options.rounds < 1 or not options.seconds > 0:
        parser.error("--rounds and --seconds must be positive")
    if not all("=" in peer for peer in options.peer):
        parser.error("--peer is NAME=COMMAND")
    for peer in options.peer:
        only = peer.split("=")[0].partition("@")[2]
        if only and only not in NETWORKS:
            parser.error(f"--peer {peer}: no network {only}")
    return options


def main(options):
    # Peers whose threads wait by spinning lose more than their share on a machine at other work.
    load, processors = os.getloadavg()[0], os.cpu_count()
    lines = [f"Load of the machine at the start: {load:.1f} on {processors} processors.", ""]
    if load > 0.5:
        print(f"run.py: the machine is not idle (load {load:.1f}): times and ratios mean little, "
              "those with several threads nothing", file=sys.stderr)
    figures = {"load": load, "processors": processors}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, Path(folder))
        for name in options.networks.split(","):
            figures[name] = bench.check(name)
            lines += [f"## {name}", "", "Largest difference of the integer peer's outputs: "
                      f"{figures[name]['integer_peer_difference']:.1e} of the largest output.", ""]
            lines += [f"That of {label}: {difference:.1e}.\n"
                      for label, difference in figures[name]["other_differences"].items()]
            for threads in map(int, options.threads.split(",")):
                rounds = bench.measure(name, threads)
                figures[name][f"threads_{threads}"] = rounds
                lines += time_table(name, threads, rounds)
                print("\n".join(time_table(name, threads, rounds)), file=sys.stderr, flush=True)
            if name == "resnet18":
                figures[name]["loading"] = bench.loading(name)
                lines += loading_table(name, figures[name]["loading"])
    if options.markdown:
        Path(options.markdown).write_text("\n".join(lines) + "\n")
    else:
        print("\n".join(lines))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    try:
        main(parse(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"run.py: {failure}")
