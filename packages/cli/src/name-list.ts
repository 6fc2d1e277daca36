/**
 * Options that take several names.
 *
 * @module
 */

/** Names with commas between them, or the option again, or both. */
export function addNames(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, ...text.split(',')]
}
