"""Time one LORE-like training step of a vision transformer in PyTorch, on the CPU or a GPU.

This is the yardstick that lore-vision's speed is compared with; nothing in the library uses it. The encoder has random
weights and the images are noise: only the work matters, and the work is that of a real step.

A step on a batch of B images x is
  1. one forward pass of the frozen reference encoder: z0;
  2. PGD with 10 signed steps inside the l-infinity ball of radius 2/255 around x, from a uniform random start, raising
     ||phi(x_adv) - z0||^2. The gradient is of the image only, parameters are frozen meanwhile;
  3. K primal steps on that same x_adv: one forward and backward pass over x_adv and x as one batch of 2 B images,
     minimising mean ||phi(x_adv) - z0||^2 + mean lambda (||phi(x) - z0||^2 - rho m), m = ||z0||^2, each followed by AdamW.
The dual network is left out (two tiny products a step); lambda is a constant 1.

Without --tuned this is PyTorch as people write it. With --tuned, images are cut into patches by a reshape and embedded
by a linear layer (a strided convolution's gradient is slow on CPUs), and glibc keeps freed memory instead of handing it
back to the system, which otherwise costs page faults for every large temporary; AdamW is PyTorch's fused one.
Attention is F.scaled_dot_product_attention: on CPUs it was faster than product, softmax, product at all these sizes.

--device cuda runs it on a GPU, in float32 without TF32, or with --precision float16 under torch.autocast, as mixed
precision is written there (no loss scaling, which costs little); each timed piece ends when the device is done.

--attack-precision bfloat16 runs the PGD steps, and nothing else, under torch.autocast in bfloat16, on a copy of the encoder
whose linear layers are made bfloat16 once a batch. Attention stays float32: its bfloat16 kernel takes ten times as long where
BLAS has no products of that type, as in Debian's build, and made an attack step twice as slow.

Reported are medians: a step; and, on B images, a forward pass, a forward pass with the gradient of the image, and a
forward pass with the gradients of all parameters (the image's own not included). --step-only leaves these parts out.
Peak memory is the process's up to the end of the last step, before the parts are timed; on a GPU also what tensors took
there at most.

bench/compare-step.ts runs this beside our own step, with --tuned.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import sys
import time
from typing import NamedTuple

EPSILON = 2 / 255
ATTACK_STEPS = 10
ATTACK_STEP_SIZE = EPSILON / 4
RHO = 0.1


class Shape(NamedTuple):
    image: int
    patch: int
    width: int
    depth: int
    heads: int


MODELS = {
    "small": Shape(32, 4, 192, 6, 3),
    "deit-tiny": Shape(224, 16, 192, 12, 3),
    "vit-b-32": Shape(224, 32, 768, 12, 12),
    "vit-b-16": Shape(224, 16, 768, 12, 12),
    "vit-l-14": Shape(224, 14, 1024, 24, 16),
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--model", choices=MODELS, default="vit-b-32")
    parser.add_argument("--image-size", type=int, help="pixels a side (default: the model's own)")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps-per-batch", type=int, default=1, metavar="K", help="primal steps a batch")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "float16"), default="float32")
    parser.add_argument("--attack-precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--repeats", type=int, default=5, help="timed repetitions after one to warm up")
    parser.add_argument("--tuned", action="store_true", help="linear patches, memory kept by malloc, fused AdamW")
    parser.add_argument("--step-only", action="store_true", help="time the whole step and none of its parts")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    options = parser.parse_args()
    for name in ("batch", "steps_per_batch", "threads", "repeats"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.precision == "float16" and options.device == "cpu":
        parser.error("--precision float16 needs --device cuda")
    if options.attack_precision == "bfloat16" and options.precision == "float16":
        parser.error("--attack-precision bfloat16 is for steps that are otherwise float32")
    options.image_size = options.image_size or MODELS[options.model].image
    patch = MODELS[options.model].patch
    if options.image_size < 1 or options.image_size % patch != 0:
        parser.error(f"--image-size must be a positive multiple of the patch size {patch}, got {options.image_size}")
    return options


def prepare_environment(options):
    """Restart with the environment this run needs: OpenBLAS and glibc read theirs when the process starts.

    The original arguments, not sys.argv: the script itself may be one of them (python3 -c SCRIPT)."""
    wanted = {name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    wanted["OMP_NUM_THREADS"] = str(options.threads)
    malloc = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(64 << 30)}
    for name in malloc:
        wanted.pop(name, None)
    if options.tuned:
        wanted.update(malloc)
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)


options = parse_arguments()
prepare_environment(options)

import torch  # noqa: E402  (after the environment is settled)
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


def attend(q, k, v):
    if options.attack_precision == "float32":
        return F.scaled_dot_product_attention(q, k, v)
    with torch.autocast(options.device, enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float())


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = attend(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ConvolutionPatches(nn.Conv2d):
    """[B, 3, S, S] to [B, (S/p)^2, width] by a convolution whose stride is its size."""

    def __init__(self, patch, width):
        super().__init__(3, width, patch, stride=patch)

    def forward(self, images):
        return super().forward(images).flatten(2).transpose(1, 2)


class LinearPatches(nn.Linear):
    """The same map as a reshape and one matrix product."""

    def __init__(self, patch, width):
        super().__init__(3 * patch * patch, width)
        self.patch = patch

    def forward(self, images):
        batch, channels, height, width = images.shape
        p, rows, columns = self.patch, height // self.patch, width // self.patch
        patches = images.view(batch, channels, rows, p, columns, p).permute(0, 2, 4, 1, 3, 5)
        return super().forward(patches.reshape(batch, rows * columns, channels * p * p))


class Encoder(nn.Module):
    """Pre-norm ViT; pixels in [0, 1] to the class token after the final norm, [B, 3, S, S] to [B, width]."""

    def __init__(self, shape, image_size, linear_patches):
        super().__init__()
        tokens = (image_size // shape.patch) ** 2 + 1
        self.patches = (LinearPatches if linear_patches else ConvolutionPatches)(shape.patch, shape.width)
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, shape.width))
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, tokens, shape.width))
        self.blocks = nn.Sequential(*(Block(shape.width, shape.heads) for _ in range(shape.depth)))
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)

    def forward(self, images):
        x = self.patches((images - 0.5) / 0.5)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        return self.norm(self.blocks(x)[:, 0])


def squared_distance(z, z0):
    return (z.float() - z0.float()).square().sum(dim=1)


def autocast():
    return torch.autocast(options.device, dtype=torch.float16, enabled=options.precision == "float16")


def attack_autocast():
    if options.attack_precision == "float32":
        return autocast()
    return torch.autocast(options.device, dtype=torch.bfloat16)


def attacker_of(encoder):
    """What the attack differentiates: the encoder itself, or a copy of it with linear layers in bfloat16."""
    if options.attack_precision == "float32":
        return encoder
    attacker = copy.deepcopy(encoder).requires_grad_(False)
    for module in attacker.modules():
        if isinstance(module, nn.Linear):
            module.bfloat16()
    return attacker


@torch.no_grad()
def refresh(attacker, encoder):
    """Brings the copy to the encoder's weights."""
    if attacker is not encoder:
        for mine, weight in zip(attacker.parameters(), encoder.parameters()):
            mine.copy_(weight)


def image_gradient(encoder, images, z0):
    images = images.detach().requires_grad_()
    with attack_autocast():
        loss = squared_distance(encoder(images), z0).sum()
    return torch.autograd.grad(loss, images)[0]


def pgd(encoder, x, z0):
    x_adv = (x + torch.empty_like(x).uniform_(-EPSILON, EPSILON)).clamp(0, 1)
    for _ in range(ATTACK_STEPS):
        x_adv = x_adv + ATTACK_STEP_SIZE * image_gradient(encoder, x_adv, z0).sign()
        x_adv = torch.min(torch.max(x_adv, x - EPSILON), x + EPSILON).clamp(0, 1)
    return x_adv


def lore_step(encoder, reference, attacker, optimizer, x, multipliers, primal_steps):
    with torch.no_grad(), autocast():
        z0 = reference(x)
    encoder.requires_grad_(False)
    refresh(attacker, encoder)
    x_adv = pgd(attacker, x, z0)
    encoder.requires_grad_(True)

    threshold = RHO * z0.float().square().sum(dim=1)
    both = torch.cat([x_adv, x])
    for _ in range(primal_steps):
        with autocast():
            z_adv, z_clean = encoder(both).chunk(2)
        adversarial = squared_distance(z_adv, z0).mean()
        constraint = (multipliers * (squared_distance(z_clean, z0) - threshold)).mean()
        optimizer.zero_grad(set_to_none=True)
        (adversarial + constraint).backward()
        optimizer.step()


def finish():
    """Waits until the device has done what it was given."""
    if options.device == "cuda":
        torch.cuda.synchronize()


def seconds_of(work):
    """Of each repetition, after one to warm up."""
    work()
    finish()
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        work()
        finish()
        seconds.append(time.perf_counter() - start)
    return seconds


def seconds_of_parts(encoder, x):
    """Medians of what a step consists of."""
    attacker = attacker_of(encoder)
    far = torch.randn(options.batch, MODELS[options.model].width, device=options.device)  # stands in for z0

    def forward():
        with torch.no_grad(), autocast():
            encoder(x)

    def forward_and_image_gradient():
        image_gradient(attacker, x, far)

    def forward_and_all_gradients():
        encoder.zero_grad(set_to_none=True)
        with autocast():
            loss = squared_distance(encoder(x), far).mean()
        loss.backward()

    encoder.requires_grad_(False)
    parts = {
        "secondsForward": statistics.median(seconds_of(forward)),
        "secondsForwardAndImageGradient": statistics.median(seconds_of(forward_and_image_gradient)),
    }
    encoder.requires_grad_(True)
    parts["secondsForwardAndAllGradients"] = statistics.median(seconds_of(forward_and_all_gradients))
    return parts


def main():
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    if options.device == "cuda" and not torch.cuda.is_available():
        sys.exit("lore_step.py: PyTorch finds no CUDA device here.")
    shape = MODELS[options.model]
    encoder = Encoder(shape, options.image_size, linear_patches=options.tuned)
    reference = Encoder(shape, options.image_size, linear_patches=options.tuned).requires_grad_(False)
    reference.load_state_dict(encoder.state_dict())
    encoder.to(options.device)
    reference.to(options.device)
    attacker = attacker_of(encoder)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=1e-5, weight_decay=1e-4, fused=options.tuned)
    x = torch.rand(options.batch, 3, options.image_size, options.image_size, device=options.device)
    multipliers = torch.ones(options.batch, device=options.device)

    def step():
        lore_step(encoder, reference, attacker, optimizer, x, multipliers, options.steps_per_batch)

    steps = seconds_of(step)
    seconds_per_step = statistics.median(steps)
    peak_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    on_gpu = options.device == "cuda"
    gpu = {"devicePeakMemoryBytes": torch.cuda.max_memory_allocated()} if on_gpu else {}
    parts = {} if options.step_only else seconds_of_parts(encoder, x)

    result = {
        "model": options.model,
        "imageSize": options.image_size,
        "batch": options.batch,
        "stepsPerBatch": options.steps_per_batch,
        "threads": options.threads,
        "device": options.device,
        "precision": options.precision,
        "attackPrecision": options.attack_precision,
        "tuned": options.tuned,
        "secondsPerStep": seconds_per_step,
        "imagesPerSecond": options.batch / seconds_per_step,
        "secondsPerStepMin": min(steps),
        "secondsPerStepMax": max(steps),
        **parts,
        "peakMemoryBytes": peak_memory,
        **gpu,
        "torch": torch.__version__,
        "capability": torch.cuda.get_device_name() if on_gpu else torch.backends.cpu.get_cpu_capability(),
    }
    if options.json:
        print(json.dumps(result))
        return
    print(f"{options.model}, {options.image_size} pixels, batch {options.batch}, K={options.steps_per_batch}, "
          f"{options.threads} threads, {options.device}, {options.precision}{', attack in bfloat16' if options.attack_precision == 'bfloat16' else ''}, {'tuned' if options.tuned else 'as people write it'}, PyTorch {torch.__version__}")
    print(f"{'secondsPerStep':30} {seconds_per_step:8.3f} s   {result['imagesPerSecond']:.2f} images/s")
    for name, seconds in parts.items():
        print(f"{name:30} {seconds:8.3f} s")
    print(f"{'peak memory':30} {peak_memory / 1e9:8.2f} GB")
    for name, size in gpu.items():
        print(f"{name:30} {size / 1e9:8.2f} GB")


if __name__ == "__main__":
    main()
