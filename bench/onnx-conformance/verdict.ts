/** Outcome for a model. */
export type Verdict =
  | { readonly kind: "passed"; readonly known: Known; readonly slopes: Slopes }
  /** By an error that says so. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Other numbers than the test's. */
  | { readonly kind: "wrong"; readonly detail: string }
  /** By an error that nobody meant, or the end of the process. */
  | { readonly kind: "crashed"; readonly detail: string };

/** Which of the test's inputs were held in the file: those that must be known before the model runs. */
export type Known = "nothing" | "integers" | "all but the first" | "everything";

/** Derivatives beside central differences. */
export type Slopes =
  | { readonly kind: "right" | "unmeasurable" | "none" }
  | { readonly kind: "refused" | "wrong" | "crashed"; readonly detail: string };

/** A question to a process of `judge.ts`, and its answer. */
export interface Question {
  readonly folder: string;
  readonly slopes: boolean;
}
