import type { Parameters } from "../../models/index.ts";
import type { EmbeddingBank } from "../../objectives/index.ts";
import type { AdamW } from "../adamw/adamw.ts";
import { NonFiniteError } from "../non-finite.ts";
import { checkSameTensors, joinStates, type State, stateOf } from "../parameters.ts";
import type { DualVariable } from "./dual-variable.ts";

/** Everything that changes during training, with its initial values. */
export interface Changing {
  readonly parameters: Parameters;
  readonly optimizer: AdamW;
  readonly dual: DualVariable | undefined;
  readonly bank: EmbeddingBank;
  readonly initial: { readonly parameters: Parameters; readonly omega: Parameters };
}

/** Current state by name, as in a checkpoint; shares memory. */
export function currentState({ parameters, optimizer, dual, bank }: Changing): State {
  return joinStates({
    theta: parameters,
    optimizer: optimizer.state(),
    ...(dual && { omega: dual.parameters, "dual-optimizer": dual.optimizer.state() }),
    bank: bank.state(),
  });
}

/** Resets everything to the state before the first step. */
export function resetState({ parameters, optimizer, dual, bank, initial }: Changing): void {
  copyInto(parameters, initial.parameters);
  optimizer.reset();
  bank.reset();
  if (!dual) return;
  copyInto(dual.parameters, initial.omega);
  dual.optimizer.reset();
}

/**
 * Restores a state returned by `currentState`.
 *
 * @throws UsageError when it is another encoder's or objective's state; nothing is changed then
 */
export function restoreState(changing: Changing, state: State): void {
  const { parameters, optimizer, dual, bank } = changing;
  checkSameTensors(currentState(changing), state);
  copyInto(parameters, stateOf(state, "theta"));
  optimizer.restore(stateOf(state, "optimizer"));
  bank.restore(stateOf(state, "bank"));
  if (!dual) return;
  copyInto(dual.parameters, stateOf(state, "omega"));
  dual.optimizer.restore(stateOf(state, "dual-optimizer"));
}

/** @throws NonFiniteError naming a tensor with a value that is not finite */
export function checkFiniteState(state: State): void {
  for (const [name, { data }] of state) {
    if (!data.every((x: number | bigint) => Number.isFinite(x)))
      throw new NonFiniteError(`${name} holds values that are not finite.`);
  }
}

function copyInto(parameters: Parameters, saved: State): void {
  for (const [name, { data }] of parameters) data.set(saved.get(name)!.data as Float32Array);
}
