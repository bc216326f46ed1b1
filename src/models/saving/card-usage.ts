import { basename } from "node:path";
import type { Encoder } from "../encoder.ts";
import type { OnnxEncoder } from "../onnx/encoder.ts";
import { describePreprocessing } from "../preprocessing/index.ts";
import { ClipText } from "../text/clip-text.ts";
import { OnnxText } from "../text/onnx-text.ts";
import type { WeightFormat } from "./card.ts";
import { readTextModel } from "./onnx-text-model.ts";

/**
 * How the files of a saved encoder are used, in JavaScript and in Python.
 *
 * @param format the only kind of files that the weights are in: transformers.js reads ONNX, Python's libraries safetensors
 */
export function usage(encoder: Encoder, format?: WeightFormat): string {
  const { javascript, python } = snippets(encoder);
  return [
    `Images: ${describePreprocessing(encoder)}; \`preprocessor_config.json\` says so.`,
    ...(format === "safetensors" ? [] : [`\`\`\`js\n${javascript.join("\n")}\n\`\`\``, ...resizeNote(encoder)]),
    ...(format === "onnx" && encoder.layout !== "onnx" ? [] : [`\`\`\`python\n${python.join("\n")}\n\`\`\``]),
  ].join("\n\n");
}

function resizeNote({ framing: { resize } }: Encoder): readonly string[] {
  if (resize.kind === "none") return [];
  const unchanged =
    resize.kind === "shortest" ? `whose shorter edge has ${resize.edge}` : `of ${resize.width} x ${resize.height}`;
  return [
    "transformers.js resizes images without the antialiasing of Pillow, which encoders are trained with; images " +
      `${unchanged} pixels it does not resize.`,
  ];
}

interface Snippets {
  readonly javascript: readonly string[];
  readonly python: readonly string[];
}

function snippets(encoder: Encoder): Snippets {
  switch (encoder.layout) {
    case "timm":
      return timm;
    case "transformers-dinov2":
      return dinov2;
    case "transformers-clip":
      return { javascript: clipInJavascript(encoder), python: clipInPython(encoder) };
    case "open-clip":
      return { javascript: clipInJavascript(encoder), python: openClip };
    case "open-clip-visual":
      return { javascript: clipInJavascript(encoder), python: clipInPython(encoder) };
    case "onnx":
      return onnx(encoder as OnnxEncoder);
  }
}

const folder = '"path/to/this/folder"';

const timm: Snippets = {
  javascript: [
    'import { AutoModel, AutoProcessor, load_image } from "@huggingface/transformers";',
    "",
    `const processor = await AutoProcessor.from_pretrained(${folder});`,
    `const model = await AutoModel.from_pretrained(${folder});`,
    'const { embedding } = await model(await processor(await load_image("image.jpg")));',
  ],
  python: ["import timm", "", 'model = timm.create_model("local-dir:path/to/this/folder", pretrained=True).eval()'],
};

const dinov2: Snippets = {
  javascript: [
    'import { pipeline } from "@huggingface/transformers";',
    "",
    `const features = await pipeline("image-feature-extraction", ${folder});`,
    'const embedding = await features("image.jpg", { pool: true });',
  ],
  python: [
    "from transformers import AutoImageProcessor, AutoModel",
    "",
    `processor = AutoImageProcessor.from_pretrained(${folder})`,
    `model = AutoModel.from_pretrained(${folder}).eval()`,
    'embedding = model(**processor(image, return_tensors="pt")).pooler_output',
  ],
};

function onnx({ file, input, output, imageSize: size }: OnnxEncoder): Snippets {
  const path = `onnx/${basename(file.path)}`;
  const shape = input.channels === "first" ? [1, 3, size, size] : [1, size, size, 3];
  return {
    javascript: [
      'import { InferenceSession, Tensor } from "onnxruntime-node";',
      "",
      `const session = await InferenceSession.create("${path}");`,
      `const image = new Tensor("float32", pixels, [${shape.join(", ")}]); // normalised as preprocessor_config.json says`,
      `const { ${JSON.stringify(output)}: embedding } = await session.run({ ${JSON.stringify(input.name)}: image });`,
    ],
    python: [
      "import onnxruntime",
      "",
      `session = onnxruntime.InferenceSession("${path}")`,
      `embedding = session.run([${JSON.stringify(output)}], {${JSON.stringify(input.name)}: pixels})[0]`,
    ],
  };
}

const openClip = [
  "import open_clip",
  "",
  'model, _, preprocess = open_clip.create_model_and_transforms("local-dir:path/to/this/folder")',
  'tokenizer = open_clip.get_tokenizer("local-dir:path/to/this/folder")',
];

function clipInJavascript({ text }: Encoder): readonly string[] {
  if (text instanceof ClipText || (text instanceof OnnxText && readTextModel(text))) {
    return [
      'import { pipeline } from "@huggingface/transformers";',
      "",
      `const classify = await pipeline("zero-shot-image-classification", ${folder});`,
      'const scores = await classify("image.jpg", ["a cat", "a dog"], { hypothesis_template: "a photo of {}" });',
    ];
  }
  return [
    'import { AutoProcessor, CLIPVisionModelWithProjection, load_image } from "@huggingface/transformers";',
    "",
    `const processor = await AutoProcessor.from_pretrained(${folder});`,
    `const model = await CLIPVisionModelWithProjection.from_pretrained(${folder});`,
    'const { image_embeds } = await model(await processor(await load_image("image.jpg")));',
  ];
}

function clipInPython({ text }: Encoder): readonly string[] {
  if (text instanceof ClipText) {
    return [
      "from transformers import CLIPModel, CLIPProcessor",
      "",
      `processor = CLIPProcessor.from_pretrained(${folder})`,
      `model = CLIPModel.from_pretrained(${folder}).eval()`,
      'inputs = processor(text=["a photo of a cat"], images=image, padding=True, return_tensors="pt")',
      "scores = model(**inputs).logits_per_image",
    ];
  }
  return [
    "from transformers import CLIPImageProcessor, CLIPVisionModelWithProjection",
    "",
    `processor = CLIPImageProcessor.from_pretrained(${folder})`,
    `model = CLIPVisionModelWithProjection.from_pretrained(${folder}).eval()`,
    'embedding = model(**processor(image, return_tensors="pt")).image_embeds',
  ];
}
