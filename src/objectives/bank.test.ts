import { describe, expect, test } from "vitest";
import { EmbeddingBank, withBankFor } from "./bank.ts";
import { fare, lore, robust } from "./objective.ts";

const rows = (bank: EmbeddingBank): readonly (readonly number[])[] => {
  const { bank: data, bankCenter } = bank.arrays;
  const size = bankCenter.length;
  return Array.from({ length: data.length / size }, (_, i) => [...data.subarray(i * size, (i + 1) * size)]);
};

describe("the bank", () => {
  test("holds unit vectors from the mean, and says where it has none yet", () => {
    const bank = new EmbeddingBank(3, 2);
    bank.add(Float32Array.of(1, 1, 5, 1, 99, 99), 2);
    expect([...bank.arrays.bankCenter]).toEqual([3, 1]);
    expect(rows(bank)).toEqual([
      [-1, 0],
      [1, 0],
      [0, 0],
    ]);
    expect(bank.arrays.bankBias[1]).toBe(0);
    expect(bank.arrays.bankBias[2]).toBeLessThan(-1000);
    expect(bank.spread).toBe(4);
  });

  test("drops the oldest for the newest", () => {
    const bank = new EmbeddingBank(2, 1);
    for (const value of [1, 2, 3, 7]) bank.add(Float32Array.of(value), 1);
    expect([...bank.arrays.bankCenter]).toEqual([5]);
    expect(bank.spread).toBe(4);
    expect([...bank.arrays.bankBias]).toEqual([0, 0]);
  });

  test("goes on from its state as if it had not been interrupted", () => {
    const [whole, first, second] = [new EmbeddingBank(3, 2), new EmbeddingBank(3, 2), new EmbeddingBank(3, 2)];
    for (const bank of [whole, first]) bank.add(Float32Array.of(1, 2, 3, 5), 2);
    second.restore(first.state());
    for (const bank of [whole, second]) bank.add(Float32Array.of(4, 4, 8, 1), 2);
    expect(second.arrays).toEqual(whole.arrays);
    expect(second.state()).toEqual(whole.state());
  });

  test("forgets what is taken out again", () => {
    const [bank, other] = [new EmbeddingBank(2, 1), new EmbeddingBank(2, 1)];
    for (const each of [bank, other]) each.add(Float32Array.of(1), 1);
    bank.add(Float32Array.of(2, 9), 2)();
    expect(bank.arrays).toEqual(other.arrays);
    expect(bank.state()).toEqual(other.state());
  });

  test("one embedding, or equal ones, are no direction", () => {
    const bank = new EmbeddingBank(2, 2);
    bank.add(Float32Array.of(3, 4), 1);
    expect(rows(bank)[0]).toEqual([0, 0]);
    expect(bank.spread).toBe(0);
  });
});

describe("an objective's bank", () => {
  const epsilon = 0.1;
  test("is as large as asked for, and holds a batch at least, for loss and constraint alike", () => {
    const small = { kind: "relational", temperature: 0.1, bank: 8 } as const;
    const asked = lore({ epsilon, distance: { ...small, kind: "contrastive" }, bounded: { ...small, bank: 16 } });
    for (const [batch, wanted] of [
      [4, 16],
      [32, 32],
    ] as const) {
      const { objective, entries } = withBankFor(asked, batch);
      expect(entries).toBe(wanted);
      expect(objective).toMatchObject({ loss: { bank: wanted }, constraint: { distance: { bank: wanted } } });
    }
  });

  test("is there for objectives that use none, too: it knows the original's spread", () => {
    const { objective, entries } = withBankFor(fare({ epsilon }), 16);
    expect(entries).toBe(256);
    expect(objective).toEqual(fare({ epsilon }));
    expect(withBankFor(robust({ epsilon }), 16).entries).toBe(256);
  });
});
