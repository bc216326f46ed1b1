/**
 * How far each of some places must be shifted so that none is nearer to the next than `gap` and none lies below `end`: those
 * that touch stay centred where they were, as far as that allows.
 */
export function apart(places: readonly number[], gap: number, end = Number.POSITIVE_INFINITY): readonly number[] {
  const within = (center: number, count: number): number => Math.min(center, end - (gap * (count - 1)) / 2);
  const order = places.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
  /** Clusters of labels that touch: centred on the mean of their places. */
  let clusters = order.map((i) => ({ members: [i], center: within(places[i]!, 1) }));
  for (let merged = true; merged; ) {
    merged = false;
    for (let c = 0; c + 1 < clusters.length; c++) {
      const [one, other] = [clusters[c]!, clusters[c + 1]!];
      const room = (gap * (one.members.length + other.members.length)) / 2;
      if (other.center - one.center >= room) continue;
      const members = [...one.members, ...other.members];
      const mean = members.reduce((sum, i) => sum + places[i]!, 0) / members.length;
      const center = within(mean, members.length);
      clusters = [...clusters.slice(0, c), { members, center }, ...clusters.slice(c + 2)];
      merged = true;
      break;
    }
  }
  const shifts = places.map(() => 0);
  for (const { members, center } of clusters)
    members.forEach((i, place) => {
      shifts[i] = center + gap * (place - (members.length - 1) / 2) - places[i]!;
    });
  return shifts;
}
