import type { Contents, Drift, Finding, FindingKind, Spread } from "../results/index.ts";
import type { StepMetrics } from "../training/metrics.ts";

/** Made-up measurements of every kind, of three encoders; two of them are runs. */
export const encoders = ["assets/clip <original> & co", "runs/fare", "runs/lore"] as const;

const [original] = encoders;
const clean = [0.914, 0.802, 0.871];

const spread = (median: number): Spread => ({
  mean: median,
  median,
  low: median / 2,
  high: median * 1.5,
  quantiles: [0.05, 0.95],
});
const drift = (relative: number): Drift => ({
  distance: spread(relative * 40),
  relative: spread(relative),
  cosine: spread(1 - relative / 2),
});

const evaluation: Contents["evaluation"] = {
  settings: ["pgd linf, 20 steps of epsilon / 4"],
  evaluations: encoders.map((encoder, i) => ({
    ...{ encoder, dataset: 'photos/"val"', images: 500, skipped: 0, classes: 10, clean: clean[i]! },
    attacks: [1, 2, 4].map((size) => ({
      ...{ attack: "pgd", norm: "linf" as const, epsilon: size / 255, seconds: 12 },
      accuracy: Math.max(0, clean[i]! - [0.4, 0.08, 0.1][i]! * size),
    })),
    warnings: i === 0 ? ["Gradients vanish on 12 of 500 images; <accuracy> may be too high."] : [],
  })),
  examples: [],
};

const corruptionNames = [
  ...["gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"],
  ...[
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
    "saturate",
  ],
];
const corruptions: Contents["corruptions"] = {
  ...{ dataset: "photos/val", images: 200, classes: 10, parameters: "CIFAR-10-C (32 pixels)" },
  ...{ severities: [1, 2, 3, 4, 5], extra: ["saturate"], warnings: ["Frost is drawn, not the published textures."] },
  encoders: encoders.map((encoder, i) => ({
    encoder,
    clean: clean[i]!,
    rows: corruptionNames.map((corruption, j) => ({
      corruption,
      accuracies: [1, 2, 3, 4, 5].map((severity) => clean[i]! - 0.01 * severity * (j % 8) - 0.01 * i),
    })),
    meanCorruptionError: 1 + 0.0731 * i,
    noise: [0, 8, 16, 32].map((size) => ({ sigma: size / 255, accuracy: clean[i]! - 0.01 * size })),
  })),
};

const fidelity: Contents["fidelity"] = {
  ...{ dataset: "photos/val", images: 300, original, rho: 0.1, marginExponent: 2, attack: "pgd 2/255" },
  ...{ skipped: 3, warnings: ["The captions of 2 files are left out."] },
  encoders: encoders.map((encoder, i) => ({
    encoder,
    clean: drift([0, 0.31, 0.08][i]!),
    attacked: drift([1.4, 0.45, 0.21][i]!),
    violationRate: [0, 0.873, 0.057][i]!,
    histogram: {
      edges: [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2],
      counts: [
        [300, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 3, 10, 25, 42, 60, 70, 50, 40],
        [30, 80, 100, 73, 17, 0, 0, 0, 0],
      ][i]!,
    },
    neighbours: { k: 10, clean: [1, 0.412, 0.683][i]!, attacked: [0.05, 0.3, 0.5][i]! },
    recall: [{ k: 1, clean: 0.6, attacked: 0.3 }],
  })),
};

const benchmark: Contents["benchmark"] = {
  suite: "two-sets",
  sets: [
    { name: "imagenet", title: "ImageNet", averaged: false },
    { name: "cifar10", title: "CIFAR-10", averaged: true },
    { name: "stl10", title: "STL-10", averaged: true },
  ],
  epsilons: [2 / 255],
  rows: encoders.map((encoder, i) => ({
    encoder,
    results: ["imagenet", "cifar10"].map((set) => ({
      ...{ set, images: 1000, classes: 10, clean: clean[i]! - 0.02, warnings: [] },
      attacks: [{ attack: "pgd", norm: "linf", epsilon: 2 / 255, accuracy: [0.011, 0.537, 0.6][i]!, seconds: 3 }],
    })),
  })),
  published: [
    {
      encoder: "FARE-2",
      source: "LORE, table 1",
      accuracies: [
        { epsilon: 0, bySet: { cifar10: 0.777 } },
        { epsilon: 2, bySet: { cifar10: 0.444 } },
      ],
    },
  ],
  missing: [{ set: "stl10", reason: "not on this machine" }],
};

const probes: Contents["probes"] = {
  ...{ train: "photos/train", test: "photos/val", trainImages: 2000, testImages: 500, classes: 10 },
  ...{ skipped: 1, warnings: ["300 neighbours were asked for."] },
  encoders: encoders.map((encoder, i) => ({
    encoder,
    linear: { accuracy: [0.934, 0.851, 0.902][i]!, trainAccuracy: 0.99, regularization: 0.001, converged: true },
    neighbours: [
      { k: 1, accuracy: 0.8 - 0.05 * i },
      { k: 20, accuracy: 0.85 - 0.05 * i },
    ],
  })),
};

const interpretability: Contents["interpretability"] = {
  ...{ dataset: "photos/val", images: 100, classes: 10, templates: 2 },
  ...{ skipped: 2, warnings: ["2 classes have the same name."] },
  encoders: encoders.map((encoder, i) => ({
    encoder,
    similarity: "cosine",
    alignment: spread(0.241 + 0.01 * i),
    alignmentByTemplate: [
      { template: "a photo of a {}", cosine: 0.25 },
      { template: "{}, up close", cosine: 0.21 },
    ],
    saliencySharpness: spread(0.52 + 0.05 * i),
    flip: { epsilon: spread((0.5 + i) / 255), share: 0.95, upTo: 8 / 255, resolution: 1 / 1020 },
    nearest: [{ image: "photos/val/cat/1.png", texts: [{ text: "a cat", cosine: 0.28 }] }],
    synthesis: [{ towards: "a cat", from: 0.18, to: 0.61 }],
  })),
  pictures: [],
};

const contents: Contents = { evaluation, benchmark, corruptions, probes, fidelity, interpretability };

export function sampleFinding<Kind extends FindingKind>(kind: Kind): Finding {
  return {
    kind,
    command: [kind, "--encoder", original, "--out", `results/${kind}`],
    date: "2026-03-04T05:06:07.890Z",
    seconds: 123.4,
    environment: {
      ...{ versions: { "lore-vision": "0.1.0", node: "v20.0.0" }, platform: "linux x64", cpu: "Some CPU" },
      ...{ cores: 8, memoryBytes: 16 * 2 ** 30 },
    },
    content: contents[kind],
  } as Finding;
}

export const sampleKinds = Object.keys(contents) as readonly FindingKind[];

/** Content of a run's `run.json`; without rho it has no constraint. */
export function sampleDescription(rho?: number): object {
  return {
    objective: {
      ...{ name: rho === undefined ? "fare" : "lore", stepsPerBatch: rho === undefined ? 1 : 5 },
      attack: { epsilon: 2 / 255 },
      ...(rho !== undefined && { constraint: { margin: { kind: "relative", rho, exponent: 2 } } }),
    },
  };
}

export function sampleMetrics(steps: number, constrained: boolean): readonly StepMetrics[] {
  return Array.from({ length: steps }, (_, i): StepMetrics => {
    const [done, wave] = [i / steps, Math.sin(12.9898 * i)];
    return {
      ...{ step: i + 1, epoch: done, images: 32 * (i + 1), imagesPerSecond: 10 },
      learningRate: 1e-4 * Math.min(1, done / 0.07) * (1 + Math.cos(Math.PI * done)),
      advDistance: 300 * Math.exp(-3 * done) + 60 + 15 * wave,
      cleanDistance: 60 * (1 - Math.exp(-5 * done)) + 5 * wave + 6,
      ...(constrained && {
        threshold: 62 + 3 * wave,
        lambdaMean: 1 + 3 * done + 0.2 * wave,
        violationRate: Math.max(0, 0.6 * (1 - 2 * done) + 0.05 * wave),
      }),
    };
  });
}
