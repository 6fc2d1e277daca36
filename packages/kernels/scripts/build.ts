/**
 * Compiles `assembly/` and writes `wasm/`: `node scripts/build.ts`.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { compile, MANIFEST_NAME, WASM_FOLDER } from './compile.ts'

const { manifest, binaries } = await compile()
mkdirSync(WASM_FOLDER, { recursive: true })
for (const [name, binary] of binaries) writeFileSync(new URL(name, WASM_FOLDER), binary)
writeFileSync(new URL(MANIFEST_NAME, WASM_FOLDER), `${JSON.stringify(manifest, null, 2)}\n`)
for (const { name, byteCount } of manifest.binaries) console.log(`${name}: ${byteCount} bytes`)
