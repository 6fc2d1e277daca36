/**
 * A part of `static`, by which it can be picked.
 *
 * @module
 */
import type { BenchOptions } from '../benchmark.ts'
import type { Case } from '../result.ts'
import type { SiblingImage } from './images.ts'

/** What parts have in common in one run. */
export interface PartOptions extends Pick<BenchOptions, 'quick' | 'repeat' | 'say'> {
  /** None where no part needs them. */
  readonly images: readonly SiblingImage[]
  /** Where things may be written. */
  readonly folder: string
}

export interface Part {
  readonly name: string
  readonly needsLink: boolean
  readonly needsImages: boolean
  measure(options: PartOptions): Promise<Case[]>
}
