import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { compile, MANIFEST_NAME, WASM_FOLDER } from '../scripts/compile.ts'

it('the committed binaries and their manifest are what the sources compile to', async () => {
  const { manifest, binaries } = await compile()
  const committed = JSON.parse(readFileSync(new URL(MANIFEST_NAME, WASM_FOLDER), 'utf8')) as unknown
  expect(committed).toEqual(manifest)
  for (const [name, binary] of binaries) {
    expect(new Uint8Array(readFileSync(new URL(name, WASM_FOLDER)))).toEqual(new Uint8Array(binary))
  }
  expect(readdirSync(WASM_FOLDER).sort()).toEqual([...binaries.keys(), MANIFEST_NAME].sort())
})
