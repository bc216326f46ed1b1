/** Whether a name matches one of the first patterns and none of the second; `*` stands for any characters. */
export function matching(wanted: readonly string[], unwanted: readonly string[]): (name: string) => boolean {
  const [yes, no] = [wanted.map(expression), unwanted.map(expression)];
  return (name) => yes.some((pattern) => pattern.test(name)) && !no.some((pattern) => pattern.test(name));
}

function expression(pattern: string): RegExp {
  const literal = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`);
}
