"""The programs that run.py measures: LastBit's own, and workers that keep a model loaded."""

import json
import shlex
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np


class Failure(Exception):
    """One sentence for the person at the terminal."""


def output_of(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{shlex.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


class LastBit:
    """`lastbit bench`, started for each turn: it loads within a small part of one."""

    def __init__(self, program, model, threads, activations=None):
        self.command = [program, "bench", model, "--threads", str(threads), "--json"]
        if activations:
            self.command += ["--activations", activations]

    def time(self, seconds):
        return json.loads(output_of(self.command + ["--seconds", str(seconds)]))["median_ms"]

    def fresh(self, seconds):
        """Command and input of a process that loads the model and runs it for so long."""
        return self.command + ["--seconds", str(seconds)], b""

    def close(self):
        pass


class Worker:
    """A program that keeps its model loaded and takes commands from its standard input."""

    def __init__(self, command, model, threads, sizes, count, output="logits"):
        self.command = [*command, str(model), str(threads), "input",
                        ",".join(map(str, [1, *sizes])), output, str(count)]
        self.process = None

    def ask(self, line):
        if self.process is None:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.process.stdout.readline()
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Failure(f"{shlex.join(self.command)} ended")
        return json.loads(answer)

    def time(self, seconds):
        return self.ask(f"time {seconds}")["median_ms"]

    def outputs(self, folder, inputs, count):
        inputs.astype(np.float32).tofile(folder / "in.f32")
        self.ask(f"run {folder / 'in.f32'} {folder / 'out.f32'}")
        return np.fromfile(folder / "out.f32", np.float32, count)

    def fresh(self, seconds):
        return self.command, f"time {seconds}\n".encode()

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def start(command, text):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    process.stdin.write(text)
    process.stdin.close()
    return process


def end(process):
    if process.wait() != 0:
        raise Failure(f"{shlex.join(process.args)} ended with {process.returncode}")


def wall_time(command, text):
    before = time.perf_counter()
    process = start(command, text)
    end(process)
    return 1000 * (time.perf_counter() - before)


def memory(command, text):
    """Resident memory, the median over the process's life, and its peak, in MB.

    Not what wait4 tells, which holds the memory of this program from before the other was started.
    """
    process = start(command, text)
    resident = []
    peak = 0.0
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            break
        for line in status.splitlines():
            if line.startswith("VmRSS"):
                resident.append(int(line.split()[1]) * 1024 / 1e6)
            elif line.startswith("VmHWM"):
                peak = int(line.split()[1]) * 1024 / 1e6
        time.sleep(0.005)
    end(process)
    return statistics.median(resident), peak
