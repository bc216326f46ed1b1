/** The elements by what a function says of them, in the order in which each group begins. */
export function groupsBy<T, Key>(list: readonly T[], keyOf: (element: T) => Key): ReadonlyMap<Key, readonly T[]> {
  const groups = new Map<Key, T[]>();
  for (const element of list) {
    const key = keyOf(element);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [element]);
    else group.push(element);
  }
  return groups;
}
