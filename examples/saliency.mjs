// Which pixels a classifier's answer hangs on: node examples/saliency.mjs classifier.onnx photo.jpg saliency.png [size]
import { readFileSync } from "node:fs";
import { compile, gradients, importModel } from "lore-vision/autodiff";
import sharp from "sharp";

const [model, photo, out, side = "224"] = process.argv.slice(2);
const size = Number(side);
const sizes = { batch: 1, batch_size: 1, height: size, width: size };
const { graph: g, inputs, outputs } = importModel(readFileSync(model), { sizes });
const [pixels] = inputs.values();
const [gradient] = gradients(g.reduceMax([...outputs.values()].at(-1)), [pixels]);
const program = await compile({ saliency: g.reduceMax(g.abs(gradient), { axes: [0, 1] }) });

const rgb = await sharp(photo).resize(size, size).removeAlpha().raw().toBuffer();
const channel = (c) => Float32Array.from({ length: size * size }, (_, i) => (rgb[3 * i + c] / 255 - 0.45) / 0.225);
const image = Float32Array.from([0, 1, 2].flatMap((c) => [...channel(c)]));
const { saliency } = await program.run({ [pixels.name]: image });
const most = Math.max(...saliency);
const map = Uint8Array.from(saliency, (x) => (255 * x) / most);
await sharp(map, { raw: { width: size, height: size, channels: 1 } }).toFile(out);
