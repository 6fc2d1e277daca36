/**
 * How a guest is moved.
 *
 * @module
 */

export type MigrationMode = 'stop-copy' | 'pre-copy' | 'post-copy' | 'hybrid'

/** Whether pages travel in rounds before the guest is paused. */
export function hasRounds(mode: MigrationMode): boolean {
  return mode === 'pre-copy' || mode === 'hybrid'
}

/** Whether the guest may run at the destination before all of its pages are there. */
export function mayPostCopy(mode: MigrationMode): boolean {
  return mode === 'post-copy' || mode === 'hybrid'
}
