/**
 * Learning a map, and searching for what is in it.
 *
 * @module
 */
import { benchLearn } from './learn.ts'
import type { Part } from './part.ts'

export const learnPart: Part = {
  name: 'learn',
  needsLink: false,
  needsImages: false,
  measure: (options) => benchLearn(options),
}
