/**
 * What must not be.
 *
 * @module
 */

/** A step that breaks a property. */
export class Violation extends Error {}

export function insist(holds: boolean, otherwise: string): void {
  if (!holds) throw new Violation(otherwise)
}
