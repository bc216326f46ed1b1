"""Run the reference AutoAttack (https://github.com/fra31/auto-attack) on a vision transformer, for bench/attack-parity.ts.

Every attack runs by itself on all images that are classified rightly, as the reference implementation's `standard` version
sets it: 100 steps, one run, 9 targets; in batches of 250, its default. --data is the `data.safetensors` that
bench/attack-parity.ts writes: `images` [N, 3, S, S] as they are evaluated, `labels` [N], `rows` [C] of the head, `starts`.

Prints one JSON object. Seconds are those of the attack's `perturb` and the predictions of what it made, without loading
and the clean predictions; points are the images looked at with a gradient, each time one is.
"""

import argparse
import json
import os
import sys
import time

parser = argparse.ArgumentParser(
    description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
)
parser.add_argument("--reference", required=True, help="a clone of fra31/auto-attack")
parser.add_argument("--encoder", required=True, help="folder with model.safetensors in timm's names and config.json")
parser.add_argument("--data", required=True, help="data.safetensors of bench/attack-parity.ts")
parser.add_argument("--epsilon", required=True, help="such as 2/255")
parser.add_argument("--attacks", default="apgd-ce,apgd-dlr,apgd-t,fab-t,square")
parser.add_argument("--queries", type=int, default=1000, help="square's")
parser.add_argument("--best-loss", type=int, default=0, metavar="N",
                    help="instead, the largest loss of APGD's 100 steps from the data's starts, of the first N images")
parser.add_argument("--batch", type=int, default=250)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()

# OpenBLAS and glibc read theirs when the process starts; kept memory spares page faults for every large temporary.
wanted = {
    **{name: value for name, value in os.environ.items() if name not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")},
    "OMP_NUM_THREADS": str(options.threads),
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 30),
}
if wanted != dict(os.environ):
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], wanted)

# Python looks beside this file first, which has the package's own name; of `python3 -c SCRIPT`, in the working folder.
sys.path[0] = options.reference

import numpy  # noqa: E402  (after the environment is settled)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from autoattack import AutoAttack  # noqa: E402


def read_safetensors(path):
    types = {"F32": numpy.float32, "I64": numpy.int64}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(
            numpy.frombuffer(data[slice(*entry["data_offsets"])], types[entry["dtype"]]).reshape(entry["shape"]).copy()
        )
        for name, entry in header.items()
    }


class Classifier:
    """Pre-norm ViT with a fixed head; pixels [B, 3, S, S] in [0, 1] to logits [B, C]. Patches are embedded by a matrix
    product, which is faster on CPUs than a strided convolution's gradient."""

    def __init__(self, folder, rows):
        with open(os.path.join(folder, "config.json")) as file:
            config = json.load(file)
        self.w = read_safetensors(os.path.join(folder, "model.safetensors"))
        self.args = config["model_args"]
        channels = lambda name: torch.tensor(config["pretrained_cfg"][name]).view(1, 3, 1, 1)  # noqa: E731
        self.mean, self.std = channels("mean"), channels("std")
        self.head = self.w["head.weight"][rows], self.w["head.bias"][rows]
        self.points = 0

    def linear(self, x, name):
        return F.linear(x, self.w[f"{name}.weight"], self.w[f"{name}.bias"])

    def norm(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.w[f"{name}.weight"], self.w[f"{name}.bias"], 1e-6)

    def block(self, x, name):
        batch, tokens, width = x.shape
        heads = self.args["num_heads"]
        qkv = self.linear(self.norm(x, f"{name}.norm1"), f"{name}.attn.qkv")
        q, k, v = qkv.view(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.linear(mixed, f"{name}.attn.proj")
        hidden = F.gelu(self.linear(self.norm(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
        return x + self.linear(hidden, f"{name}.mlp.fc2")

    def __call__(self, images):
        if images.requires_grad and torch.is_grad_enabled():
            self.points += len(images)
        x = (images - self.mean) / self.std
        batch, channels, height, width = x.shape
        p = self.args["patch_size"]
        patches = x.view(batch, channels, height // p, p, width // p, p).permute(0, 2, 4, 1, 3, 5)
        weight = self.w["patch_embed.proj.weight"].flatten(1)
        x = F.linear(patches.reshape(batch, -1, channels * p * p), weight, self.w["patch_embed.proj.bias"])
        x = torch.cat([self.w["cls_token"].expand(batch, -1, -1), x], dim=1) + self.w["pos_embed"]
        for i in range(self.args["depth"]):
            x = self.block(x, f"blocks.{i}")
        return F.linear(self.norm(x[:, 0], "norm"), *self.head)


class ErrorStream:
    """What the reference has to say; stdout is for JSON."""

    @staticmethod
    def log(text):
        print(text, file=sys.stderr)


def attacks(model, epsilon):
    """The reference's attacks by name, as its `standard` version sets them."""
    suite = AutoAttack(model, norm="Linf", eps=epsilon, seed=options.seed, version="standard", device="cpu", verbose=False)
    suite.logger = suite.apgd.logger = suite.apgd_targeted.logger = ErrorStream
    suite.square.n_queries = options.queries
    suite.fab.targeted, suite.fab.n_restarts = True, 1
    return {
        "apgd-ce": (suite.apgd, "ce"),
        "apgd-dlr": (suite.apgd, "dlr"),
        "apgd-t": (suite.apgd_targeted, "dlr-targeted"),
        "fab-t": (suite.fab, None),
        "square": (suite.square, "margin"),
    }


def predict(model, images):
    with torch.no_grad():
        return torch.cat([model(part).argmax(1) for part in images.split(options.batch)])


def attack_all(model, attack, images, labels, right):
    """Which images it breaks, by their positions, and the seconds it takes."""
    broken = []
    start = time.perf_counter()
    for chosen in right.split(options.batch):
        adversarial = attack.perturb(images[chosen].clone(), labels[chosen].clone())
        broken += chosen[predict(model, adversarial) != labels[chosen]].tolist()
    return broken, time.perf_counter() - start


def best_losses(model, attack, images, labels, starts):
    """The largest loss of 100 steps, successes or not; the targeted loss aims at the likeliest other class."""
    attack.init_hyperparam(images)
    losses = []
    for x, y, start in zip(*(each.split(options.batch) for each in (images, labels, starts))):
        attack.y_target = model(x).sort(dim=1)[1][:, -2]
        losses += attack.attack_single_run(x, y, x_init=start)[2].tolist()
    return losses


def main():
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    data = read_safetensors(options.data)
    images, labels = data["images"], data["labels"]
    model = Classifier(options.encoder, data["rows"])
    numerator, _, denominator = options.epsilon.partition("/")
    epsilon = float(numerator) / float(denominator or 1)
    right = (predict(model, images) == labels).nonzero()[:, 0]
    results = []
    for name in options.attacks.split(","):
        attack, loss = attacks(model, epsilon)[name]
        attack.loss = loss
        result = {"attack": name, "epsilon": epsilon}
        if options.best_loss:
            first = right[: options.best_loss]
            starts = (images[first] + epsilon * data["starts"][first]).clamp(0, 1)
            losses = best_losses(model, attack, images[first], labels[first], starts)
            result.update(images=first.tolist(), bestLosses=losses)
        else:
            model.points = 0
            broken, seconds = attack_all(model, attack, images, labels, right)
            accuracy = (len(right) - len(broken)) / len(images)
            result.update(accuracy=accuracy, seconds=seconds, points=model.points, broken=broken)
        results.append(result)
        print(json.dumps({k: v for k, v in result.items() if not isinstance(v, list)}), file=sys.stderr)
    print(json.dumps({
        "images": len(images), "right": right.tolist(), "threads": options.threads, "batch": options.batch,
        "queries": options.queries, "torch": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability(),
        "attacks": results,
    }))


main()
