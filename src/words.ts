/*
 * Wording of messages.
 */

/** The first few names, and the number of the others: `a, b, c and 4 more`. */
export function some(names: Iterable<string>, max = 3): string {
  const all = [...names];
  const first = all.slice(0, max).join(", ");
  return all.length > max ? `${first} and ${all.length - max} more` : first;
}

/** `1 class`, `2 classes`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A text shortened to fit a message. */
export function shortened(text: string, max = 40): string {
  return text.length > max ? `${text.slice(0, max - 3)}...` : text;
}
