/** Runs a task as a user who may not read everything, also where the tests run as root. */
export async function unprivileged<T>(task: () => T | Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return task();
  const nobody = 65534;
  process.seteuid!(nobody);
  try {
    return await task();
  } finally {
    process.seteuid!(0);
  }
}
