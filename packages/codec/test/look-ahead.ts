/**
 * Looks pages of a rig up ahead of its rounds.
 *
 * @module
 */
import { readFileSync } from 'node:fs'
import type { HashName } from '@godwit/core'
import { PageBitmap, pagesCovering } from '@godwit/core'
import { KERNELS_WASM_URL } from '@godwit/kernels'
import { createPrimitives } from '../src/primitives.ts'
import { StaticScan, staticScanBytes } from '../src/static-scan.ts'
import { Workspace } from '../src/workspace.ts'
import type { Rig } from './rig.ts'
import { fingerprintSeed } from './rig.ts'
import type { Siblings } from './siblings.ts'

const primitives = await createPrimitives({ kernelsWasm: readFileSync(KERNELS_WASM_URL) })

export interface LookAheadOptions {
  readonly hash?: HashName
  /** Per region. */
  readonly untouched?: readonly PageBitmap[]
  /** At most. */
  readonly steps?: number
}

/** In the first set of `siblings`, if that is a map; what is found out is in its lookup. */
export function lookAhead(rig: Rig, siblings: Siblings, options: LookAheadOptions = {}): void {
  const { pageBytes, source: regions } = rig
  const { ahead: index, scanned: into } = siblings
  const none = (): readonly PageBitmap[] =>
    regions.map(({ bytes }) => new PageBitmap(pagesCovering(bytes.length, pageBytes)))
  const { hash = 'xxh3', untouched = none(), steps = Infinity } = options
  if (index === undefined) return
  const workspace = new Workspace(primitives, staticScanBytes(pageBytes))
  const hasher = workspace.createHasher(hash, fingerprintSeed)
  const pages = { pageBytes, regions, untouched, into }
  const scan = new StaticScan({ index, workspace, hasher, ...pages })
  for (let step = 0; step < steps && scan.step(); step++);
}
