/**
 * Page classes, after Wang et al. (2017), as HASH75 tells it (section 2.3): of a guest's pages only
 * those are sent that it cannot do without. The classes are the guest's word, not a look from
 * outside: see `PageClasses` of `core`.
 *
 * @module
 */
import type { PageClassName } from '@godwit/core'
import type { PageSelector } from './page-selector.ts'
import { plainSelector } from './page-selector.ts'

export function classesSelector(drops: readonly PageClassName[]): PageSelector {
  return { ...plainSelector, drops }
}
