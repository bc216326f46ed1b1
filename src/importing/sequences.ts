import { axisIn, mismatch, range } from "../graph/index.ts";
import type { OnnxNode } from "../onnx/index.ts";
import type { Control, Runner } from "./control.ts";
import { type Item, listItem, numberItem } from "./items.ts";

/** Operators on sequences and optionals. These are known at import; their elements need not be. */
export const sequences: Readonly<Record<string, Control>> = {
  SequenceConstruct: (_, items) => [listItem(items.map(given))],
  SequenceEmpty: () => [listItem([])],
  SequenceLength: (_, [list]) => [numberItem(elements(list).length)],
  SequenceAt: (_, [list, position], runner) => {
    const items = elements(list);
    return [items[placeOf(runner, position, items.length, items.length - 1)]!];
  },
  SequenceInsert: (_, [list, item, position], runner) => {
    const items = elements(list);
    const at = position ? placeOf(runner, position, items.length, items.length) : items.length;
    return [listItem([...items.slice(0, at), given(item), ...items.slice(at)])];
  },
  SequenceErase: (_, [list, position], runner) => {
    const items = elements(list);
    const last = items.length - 1;
    return [listItem(items.toSpliced(position ? placeOf(runner, position, items.length, last) : last, 1))];
  },
  SequenceMap: ({ attributes, outputs }, [first, ...others], { run }) => {
    const { body } = attributes;
    if (body?.kind !== "graph") mismatch("needs the graph body");
    const results = elements(first).map((item, i) =>
      run(body.value, [item, ...others.map((other) => (other?.kind === "list" ? other.items[i]! : given(other)))]),
    );
    return outputs.map((_, k) => listItem(results.map((result) => result[k]!)));
  },
  ConcatFromSequence: ({ attributes }, [list], { compute, shape }) => {
    const items = elements(list);
    const rank = shape(items[0] ?? mismatch("the sequence is empty")).length;
    const isNew = attributes.new_axis?.value === 1;
    const axis = axisIn(int(attributes, "axis", 0), rank + Number(isNew));
    const parts = isNew ? items.map((item) => compute("Unsqueeze", [item], { axes: [axis] })) : items;
    return [compute("Concat", parts, { axis })];
  },
  SplitToSequence: ({ attributes }, [tensor, split], runner) => {
    const item = given(tensor);
    const shape = runner.shape(item);
    const axis = axisIn(int(attributes, "axis", 0), shape.length);
    let start = 0;
    const parts = sizesOf(runner, split, shape[axis]!).map((size) => {
      const bounds = { starts: [start], ends: [start + size], axes: [axis], steps: [1] };
      start += size;
      return runner.compute("Slice", [item], bounds);
    });
    if (split || int(attributes, "keepdims", 1) !== 0) return [listItem(parts)];
    return [listItem(parts.map((part) => runner.compute("Squeeze", [part], { axes: [axis] })))];
  },

  Optional: (_, [item]) => [item ?? { kind: "nothing" }],
  OptionalHasElement: (_, [item]) => [numberItem(Number(item !== undefined && item.kind !== "nothing"), "bool")],
  OptionalGetElement: (_, [item]) => {
    if (!item || item.kind === "nothing") mismatch("the optional holds nothing");
    return [item];
  },
};

const given = (item: Item | undefined): Item => item ?? mismatch("an operand is left out");

const elements = (item: Item | undefined): readonly Item[] =>
  item?.kind === "list" ? item.items : mismatch("needs a sequence");

function int(attributes: OnnxNode["attributes"], name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
}

/** A place among so many, counted from the end where it is negative. */
function placeOf({ known }: Runner, position: Item | undefined, count: number, last: number): number {
  const place = position && known(position)?.values[0];
  if (place === undefined) mismatch("a place in a sequence depends on the image, and must be known before");
  const at = place < 0 ? place + count : place;
  return at >= 0 && at <= last ? at : mismatch(`place ${place} is not among ${count} of a sequence`);
}

/** Sizes of the parts: 1 each without `split`, else equal parts of that size and a rest, or the given sizes. */
function sizesOf({ known }: Runner, split: Item | undefined, length: number): readonly number[] {
  if (!split) return range(length).map(() => 1);
  const sizes = known(split) ?? mismatch("how it is split depends on the image, and must be known before");
  if (sizes.shape.length > 0) return sizes.values;
  const [size] = sizes.values as [number];
  if (!(size > 0)) mismatch(`cannot be split into parts of ${size}`);
  return range(Math.ceil(length / size)).map((i) => Math.min(size, length - i * size));
}
