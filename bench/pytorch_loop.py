#!/usr/bin/env python3
"""Speed of training ResNet-18 on images of CIFAR's shape on a CUDA device: LastBit beside PyTorch.

    bench/pytorch_loop.py build/gpu/bench/bench_residual_training [--precision bf16] [--batch 128]
                          [--steps 100] [--pairs 5]

PyTorch's loop is the plain one: the network in channels-last order, autocast to bfloat16 (or tf32),
cuDNN's benchmark mode, SGD with Nesterov momentum, samples on the device. Ours is the program given,
with the same network, batch and optimizer. They run in turns, so that both see the same clocks; the
median of the ratios of their times is the figure. Exits 2 where there is no CUDA device.
"""

import argparse
import statistics
import subprocess
import sys
import time


def leave(sentence):
    print(f"pytorch_loop: {sentence}", file=sys.stderr)
    sys.exit(2)


try:
    import torch
    from torch import nn
except ImportError:
    leave("python3 finds no PyTorch (import torch); nothing was measured")


class Block(nn.Module):
    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Identity()
        if stride != 1 or channels_in != channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


def resnet18():
    """With CIFAR's stem: 3 x 3, no stride, no pooling."""
    layers = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            layers.append(Block(channels, width, 2 if stage > 0 and block == 0 else 1))
            channels = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*layers)


class Loop:
    def __init__(self, precision, batch, steps):
        torch.manual_seed(1)
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
        self.lowers = precision == "bf16"
        self.batch = batch
        self.network = resnet18().cuda().to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4
        )
        size = batch * steps
        self.images = torch.rand(size, 3, 32, 32, device="cuda")
        self.labels = torch.arange(size, device="cuda") % 10

    def epoch(self):
        """Images a second over one pass."""
        torch.cuda.synchronize()
        start = time.perf_counter()
        order = torch.randperm(len(self.labels), device="cuda")
        total = torch.zeros((), device="cuda")
        for rows in order.split(self.batch):
            images = self.images[rows].contiguous(memory_format=torch.channels_last)
            self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=torch.bfloat16, enabled=self.lowers):
                loss = nn.functional.cross_entropy(self.network(images), self.labels[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.detach()
        if not torch.isfinite(total).item():
            sys.exit("pytorch_loop: PyTorch's loop diverged")
        return len(self.labels) / (time.perf_counter() - start)


def run_ours(options):
    command = [
        options.program,
        "ours",
        "net=resnet18",
        "device=cuda",
        "pairs=3",
        f"precision={options.precision}",
        f"batch={options.batch}",
        f"steps={options.steps}",
    ]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"pytorch_loop: {' '.join(command)} ended with exit code {run.returncode}")
    return float(run.stdout.split()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="bench_residual_training, built for this PyTorch")
    parser.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="bf16")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        leave("PyTorch finds no CUDA device; nothing was measured")

    loop = Loop(options.precision, options.batch, options.steps)
    loop.epoch()  # warms up, as each of our runs does
    pairs = []
    for number in range(1, options.pairs + 1):
        ours = run_ours(options)
        plain = statistics.median(loop.epoch() for _ in range(3))
        pairs.append((ours, plain))
        print(
            f"pair {number}: ours {ours:.0f}, PyTorch {plain:.0f} images/s, "
            f"ratio of times {plain / ours:.3f}",
            flush=True,
        )
    ratios = [plain / ours for ours, plain in pairs]
    print(
        f"resnet18 batch {options.batch}, {options.precision}, {torch.cuda.get_device_name()}, "
        f"PyTorch {torch.__version__}: ours {statistics.median(o for o, _ in pairs):.0f}, "
        f"PyTorch {statistics.median(p for _, p in pairs):.0f} images/s; "
        f"ratio of times {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    )


if __name__ == "__main__":
    main()
