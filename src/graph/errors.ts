import { LoreError } from "../errors.ts";

/** A graph that cannot be built: the message names the operator, its inputs with their types, and the reason. */
export class GraphError extends LoreError {
  override readonly name = "GraphError";
}

/** Thrown inside inference rules; `Graph.apply` turns it into a GraphError that names operator and inputs. */
export class Mismatch extends Error {}

export function mismatch(reason: string): never {
  throw new Mismatch(reason);
}
