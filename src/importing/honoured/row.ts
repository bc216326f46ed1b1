/**
 * The honoured parts of an operator, in any opset. Everything else in a file is refused. A name here is a promise that its
 * value is read and computed with.
 */
export interface Row {
  /**
   * Names of the inputs in their order; `name?` is one that may be left out, `!name` one that is refused where it is given,
   * `name...` stands for any number.
   */
  readonly inputs: string;
  /** Names of the outputs in their order; `!name` is one that is refused where anybody reads it. Default: one. */
  readonly outputs?: string;
  /** Outputs that are refused before an opset, since they were something else. */
  readonly outputsSince?: Readonly<Record<string, number>>;
  /** Names of attributes of which every value is honoured; `name!` is one that must be there. */
  readonly attributes?: string;
  /** Names of attributes that operators had before opset 7, and of which every value is honoured there. */
  readonly before7?: string;
  /** Attributes of which only some values are honoured, the default among them. */
  readonly only?: Readonly<Record<string, readonly (number | string)[]>>;
  /** Attributes that change nothing here, and why. */
  readonly ignored?: Readonly<Record<string, string>>;
}

/** Rows by the operator's name, that of another domain than the standard one in front: `com.microsoft:Gelu`. */
export type Rows = Readonly<Record<string, Row>>;

/** One input or output of a row. */
export interface Place {
  readonly name: string;
  readonly isHonoured: boolean;
  readonly isOptional: boolean;
  /** Stands for any number of them. */
  readonly repeats: boolean;
}

export function placesOf(names: string): readonly Place[] {
  return words(names).map((word) => ({
    name: word.replace(/^!/, "").replace(/(\.\.\.|\?)$/, ""),
    isHonoured: !word.startsWith("!"),
    isOptional: /^!|(\.\.\.|\?)$/.test(word),
    repeats: word.endsWith("..."),
  }));
}

export const words = (text: string | undefined): readonly string[] => text?.split(" ").filter((word) => word) ?? [];

/** Attributes by name, and whether each must be there. */
export const attributesIn = (text: string | undefined): ReadonlyMap<string, boolean> =>
  new Map(words(text).map((word) => [word.replace(/!$/, ""), word.endsWith("!")]));
