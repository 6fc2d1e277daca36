import { expect, test } from 'vitest'
import { checkDevices, machineName } from './stream-intake.ts'

test('a machine is called in a stream as its type is, without the suffix', () => {
  expect(machineName({ machine: 'pc-q35-7.2-machine' })).toBe('pc-q35-7.2')
})

test('what came behind the memory begins with a device, or ends there', () => {
  expect(() => checkDevices(Uint8Array.of(4, 1, 2))).not.toThrow()
  expect(() => checkDevices(Uint8Array.of(0))).not.toThrow()
  const refused = expect.objectContaining({ code: 'PROTOCOL_STATE' })
  for (const wrong of [[], [2, 0, 0, 0, 2], [1]]) {
    expect(() => checkDevices(Uint8Array.from(wrong))).toThrow(refused)
  }
})
