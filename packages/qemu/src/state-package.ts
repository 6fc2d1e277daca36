/**
 * The state package of a VM: what QEMU told of everything beside RAM, as it is, behind a head that
 * says in which way it was told and how long it is. What is not whole is refused here: a QEMU that
 * finds it out ends.
 *
 * ```
 * package = "godwit qemu " ("file" | "stream") " 1\n"  u32:length  told
 * ```
 *
 * The number is big-endian, as QEMU's own are.
 *
 * @module
 */
import { MIB, ProtocolError } from '@godwit/core'

/** How QEMU told it: by itself (`attach=file`), or behind the VM's memory (`attach=stream`). */
export type StateForm = 'file' | 'stream'

/** A guest's state package has at most 64 MiB; this leaves the head its place. */
export const TOLD_BYTES_MAX: number = 64 * MIB - 64

const lengthBytes = 4

function headOf(form: StateForm): Uint8Array {
  return new TextEncoder().encode(`godwit qemu ${form} 1\n`)
}

/** What QEMU told, in parts; the package is of memory of its own. */
export function packState(form: StateForm, parts: readonly Uint8Array[]): Uint8Array {
  const head = headOf(form)
  const toldBytes = parts.reduce((sum, { length }) => sum + length, 0)
  const state = new Uint8Array(head.length + lengthBytes + toldBytes)
  state.set(head)
  new DataView(state.buffer).setUint32(head.length, toldBytes)
  let at = head.length + lengthBytes
  for (const part of parts) {
    state.set(part, at)
    at += part.length
  }
  return state
}

/**
 * What QEMU told: a view. Whether that is right is for QEMU to say.
 *
 * @throws {ProtocolError} `PROTOCOL_STATE`: no such package, or not all of it
 */
export function unpackState(form: StateForm, state: Uint8Array): Uint8Array {
  const head = headOf(form)
  const toldAt = head.length + lengthBytes
  if (state.length < toldAt || !head.every((byte, index) => byte === state[index])) {
    const text = `The state of the VM that is offered is not that of a guest with attach=${form}`
    throw new ProtocolError('PROTOCOL_STATE', text)
  }
  const toldBytes = new DataView(state.buffer, state.byteOffset).getUint32(head.length)
  const told = state.subarray(toldAt)
  if (told.length === toldBytes) return told
  const text = `The state of the VM that is offered has ${told.length} bytes and says ${toldBytes}`
  throw new ProtocolError('PROTOCOL_STATE', text)
}
