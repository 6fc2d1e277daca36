/**
 * The adapter of the documentation, for the suite.
 *
 * @module
 */
import { MIB, PAGE_BYTES_DEFAULT } from '@godwit/core'
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { expect } from 'vitest'
import { LedgerGuest, LedgerHost } from '../../docs/examples/adapter.ts'

const byteLength = 1 * MIB

/** Money does not come from nowhere. */
function totalOf(bytes: Uint8Array): number {
  const accounts = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)
  return accounts.reduce((sum, account) => sum + account, 0)
}

/** The state package of another version. */
export function otherVersion(state: Uint8Array): Uint8Array {
  const other = Uint8Array.from(state)
  other[4] = 2
  return other
}

export const ledger: AdapterUnderTest = {
  async startGuest() {
    const guest = LedgerGuest.open(byteLength, PAGE_BYTES_DEFAULT, 7)
    return { guest, end: () => guest.end() }
  },
  createHost: () => ({ host: new LedgerHost(1.5 * byteLength) }),
  badStates: (state) => ({
    empty: new Uint8Array(0),
    'cut by a byte': state.slice(0, -1),
    'longer by a byte': Uint8Array.of(...state, 0),
    'of another version': otherVersion(state),
    'all ones': state.map(() => 0xff),
    'all zeros': state.map(() => 0),
  }),
  async verify(arrived) {
    await arrived.stop!()
    expect(totalOf(arrived.regions[0]!.bytes)).toBe((byteLength >> 2) * 100)
  },
}
