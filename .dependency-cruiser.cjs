/** Rooms, floor by floor: one may import from those below it, and from none beside it unless it says so here. */
const floors = [
  ["tensor"],
  ["onnx"],
  ["graph", "hub"],
  ["importing", "autodiff", "optimize"],
  ["runtime"],
  ["models", "data", "corruptions"],
  ["attacks"],
  ["objectives"],
  ["inference", "results", "embeddings"],
  ["blending"],
  ["training"],
  ["measure/accuracy", "measure/corruptions", "measure/embedding-attack", "measure/interpretability", "measure/probes"],
  ["measure/benchmark", "measure/fidelity", "measure/tradeoff"],
  ["profiling", "sweep"],
  ["report"],
  ["cli"],
];

/** These run in a browser as they do in Node. */
const isomorphic = ["tensor", "onnx", "graph", "importing", "autodiff", "optimize", "attacks"];

const outside = "\\.test\\.ts$|^src/testing/";
const inside = (rooms) => `^src/(?:${rooms.join("|")})/`;
const room = "^src/((?:measure/)?[^/]+)/";

const upwards = floors.flatMap((floor, i) =>
  floor.map((name) => ({
    name: `floor-of-${name.replace("/", "-")}`,
    comment: "Imports point downwards only.",
    severity: "error",
    from: { path: inside([name]), pathNot: outside },
    to: {
      path: inside(
        floors
          .slice(i)
          .flat()
          .filter((other) => other !== name),
      ),
    },
  })),
);

module.exports = {
  forbidden: [
    ...upwards,
    {
      name: "doors",
      comment: "From room to room through index.ts only.",
      severity: "error",
      from: { path: room, pathNot: outside },
      to: {
        path: "^src/.+/",
        pathNot: ["^src/$1/", "^src/(?:measure/)?[^/]+/index\\.ts$", "^src/measure/index\\.ts$"],
      },
    },
    {
      name: "ground",
      comment: "What every room stands on stands on tensors alone.",
      severity: "error",
      from: {
        path: "^src/[^/]+\\.ts$",
        pathNot: `${outside}|^src/(?:index|attacks|data|measure|models|autodiff|web)\\.ts$`,
      },
      to: { path: "^src/.+/", pathNot: "^src/tensor/" },
    },
    {
      name: "known-rooms",
      comment: "A new room gets a floor in .dependency-cruiser.cjs.",
      severity: "error",
      from: { path: "^src/.+/", pathNot: `${outside}|${inside(floors.flat())}` },
      to: {},
    },
    {
      name: "isomorphic",
      comment: "These rooms run in a browser, too.",
      severity: "error",
      from: { path: inside(isomorphic), pathNot: outside },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "helpers-of-tests",
      severity: "error",
      from: { path: "^src/", pathNot: outside },
      to: { path: "^src/testing/" },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts"] },
  },
};
