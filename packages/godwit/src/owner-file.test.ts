import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { OwnerFile, readOwnerFile } from './owner-file.ts'

const directory = mkdtempSync(join(tmpdir(), 'godwit-'))
afterAll(() => rmSync(directory, { recursive: true }))

let count = 0
const freshPath = (): string => join(directory, `${count++}`)

describe('an owner file', () => {
  it('holds what was written last', async () => {
    const path = freshPath()
    const file = await OwnerFile.create(path, 'one')
    expect(readOwnerFile(readFileSync(path))).toBe('one')
    for (const text of ['two', 'three', 'four']) {
      await file.write(text)
      expect(readOwnerFile(readFileSync(path))).toBe(text)
    }
    await file.close()
    const again = await OwnerFile.open(path)
    await again.write('five')
    expect(readOwnerFile(readFileSync(path))).toBe('five')
    await again.remove()
    expect(readdirSync(directory)).not.toContain(path)
  })

  it('holds the old or the new, wherever a write was torn', async () => {
    const path = freshPath()
    const file = await OwnerFile.create(path, 'zero')
    for (let n = 1; n <= 2; n++) {
      const before = readFileSync(path)
      await file.write(`number ${n}`)
      const after = readFileSync(path)
      const seen = new Set<string | undefined>()
      for (let at = 0; at <= after.length; at++) {
        const torn = Buffer.concat([after.subarray(0, at), before.subarray(at)])
        seen.add(readOwnerFile(torn))
        // Its blocks may come in any order.
        seen.add(readOwnerFile(Buffer.concat([before.subarray(0, at), after.subarray(at)])))
      }
      expect(seen).toEqual(new Set([n === 1 ? 'zero' : `number ${n - 1}`, `number ${n}`]))
    }
    await file.close()
  })

  it('that is damaged all over holds nothing', async () => {
    const path = freshPath()
    const file = await OwnerFile.create(path, 'one')
    await file.write('two')
    await file.close()
    const bytes = readFileSync(path)
    for (const length of [0, 1, 15, 4095]) {
      expect(readOwnerFile(bytes.subarray(0, length))).toBeUndefined()
    }
    bytes[17]! ^= 1
    expect(readOwnerFile(bytes)).toBe('two')
    bytes[4096 + 17]! ^= 1
    expect(readOwnerFile(bytes)).toBeUndefined()
    writeFileSync(path, bytes)
    const again = await OwnerFile.open(path)
    await again.write('three')
    await again.close()
    expect(readOwnerFile(readFileSync(path))).toBe('three')
  })
})
