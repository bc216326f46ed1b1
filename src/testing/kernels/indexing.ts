import { bool, f32, fed, i32, i64, int, ints, type KernelCase, use, word } from "./case.ts";

const labels = i64([1, -1, 5, 0], [2, 2]);

/** Operators that pick and place by indices. */
export const indexing: readonly KernelCase[] = [
  use("OneHot", [labels, i64(4), "2"]),
  use("OneHot", [fed(labels), i64([4]), "2"], { axis: int(1) }),
  use("OneHot", [f32([1, 3, 0]), f32(3), "2"], { axis: int(0) }),
  use("EyeLike", ["3 4"], { k: int(1) }),
  use("EyeLike", [fed(i32([0, 0, 0, 0, 0, 0], [3, 2]))], { k: int(-1), dtype: int(1) }),
  use("Range", [f32(0.5), f32(70_000), f32(1)]),
  use("Compress", ["3 4", bool([0, 1, 1])], { axis: int(0) }),
  use("Compress", ["3 2", bool([0, 1, 1, 0, 1])]),
  use("ReverseSequence", ["4 3 2", i64([2, 4, 1])], { time_axis: int(0), batch_axis: int(1) }),
  use("ReverseSequence", ["3 4", fed(i64([2, 4, 1]))], { time_axis: int(1), batch_axis: int(0) }),
  use("GatherND", ["2 3 4", i64([1, 0], [2, 1])], { batch_dims: int(1) }),
  use("GatherND", ["2 2 3 2", fed(i64([1, 0, 2, 1, 0, 0, 1, 1], [2, 2, 2, 1]))], { batch_dims: int(2) }),
  use("GatherND", ["2 3", i64([1, 0, 0, 2], [2, 2])]),
  use("TensorScatter", ["2 5 3", "2 2 3", i64([1, 3])], {}, { opset: 24 }),
  use("TensorScatter", ["2 5 3", "2 2 3", fed(i64([4, 0]))], { mode: word("circular") }, { opset: 24 }),
  use("CenterCropPad", ["5 4 3", i64([3, 7, 3])]),
  use("CenterCropPad", ["5 4 3", i64([2, 6])], { axes: ints(-1, 0) }),
  use("CumProd", ["3 4", i64(1)], {}, { opset: 26 }),
  use("CumProd", ["3 4", i64(0)], { exclusive: int(1), reverse: int(1) }, { opset: 26 }),
  use("Scatter", ["3 3", i64([1, 0, 2], [1, 3]), "1 3"], {}, { opset: 9 }),
];
