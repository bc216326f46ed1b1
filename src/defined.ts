/** Fields that may be undefined, as fields that may be absent. */
export type Defined<T> = Simplify<
  { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
    readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
  }
>;

type Simplify<T> = { readonly [K in keyof T]: T[K] };

/**
 * Drops the fields that are undefined, so that readers of the rest apply their own defaults:
 * `defined({ limit, batch: 16 })` is `{ batch: 16 }` where `limit` is undefined.
 */
export function defined<const T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
