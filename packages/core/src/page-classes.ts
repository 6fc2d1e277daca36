/**
 * What a guest says of its own pages, so that those need not move that it can do without.
 *
 * @module
 */
import type { PageBitmap } from './bitmap.ts'

/**
 * The five classes of Wang et al. (as told by HASH75, section 2.3). `free`: the guest has no use
 * for what such a page holds. `cache`: it can make or read it again.
 */
export const PAGE_CLASSES = ['anonymous', 'inode', 'kernel', 'cache', 'free'] as const
export type PageClassName = (typeof PAGE_CLASSES)[number]

/**
 * A guest's knowledge of its pages. Pages of classes that it gives up hold zero bytes afterwards:
 * where they are `free` or `cache` that costs it nothing but time; others must never be given up.
 */
export interface PageClasses {
  /**
   * Adds the pages that are of one of these classes now, whole pages of `pageBytes` only. Called
   * while the guest runs: a hint. What is wrong about it costs time, no content; only
   * {@link giveUp} decides.
   *
   * @param region - its index
   */
  addPages(
    names: readonly PageClassName[],
    region: number,
    pageBytes: number,
    into: PageBitmap,
  ): void
  /**
   * The guest does without all pages of these classes from now on: it takes them off its lists (a
   * cached page is no longer found), and adds them here. Called once in a migration, while it is
   * paused. Stores of the call are stores of the guest: trackers must see them.
   *
   * Such a page holds zero bytes from then on, wherever the guest goes on: the engine sees to it.
   *
   * @param into - per region, empty: pages given up, whole pages of `pageBytes` only
   */
  giveUp(names: readonly PageClassName[], pageBytes: number, into: readonly PageBitmap[]): void
}
