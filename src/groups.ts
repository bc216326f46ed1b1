/** Elements grouped by a key, groups in order of their first elements. */
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
