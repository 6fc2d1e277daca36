/**
 * Which pages of a guest are there already, while it runs and others are still to come: shared
 * between its threads, which wait for pages, and lanes, which install them.
 *
 * @module
 */
import type { PageRun } from './page.ts'
import { allocateShared } from './threads.ts'

/** Bits of a page's word, which is 0 when the page is there; the higher ones count wake-ups. */
const missing = 1
/** A thread waits for it here. */
const awaited = 2
/** A lane is about to install it: nobody else does. */
const arriving = 4
/** A thread waits for it elsewhere, and was heard of. */
const requested = 8
const wakeStep = 16

/** One word per page of a region, so that threads can wait for each. */
export class PageStates {
  readonly words: Int32Array

  /** @param words - shared, one per page; all pages are there where they are zero */
  constructor(words: Int32Array) {
    this.words = words
  }

  /** States of so many pages, which are all there. */
  static shared(pageCount: number): PageStates {
    return new PageStates(new Int32Array(allocateShared(pageCount * 4).buffer))
  }

  isPresent(page: number): boolean {
    return Atomics.load(this.words, page) === 0
  }

  /** Whether a lane is installing it: it is there in a moment. */
  isArriving(page: number): boolean {
    return (Atomics.load(this.words, page) & arriving) !== 0
  }

  /** Pages `[first, end)` are to come. Before the guest runs. */
  discard(first: number, end: number): void {
    this.words.fill(missing, first, end)
  }

  /**
   * Waits until a page is there, by blocking the thread.
   *
   * @param ask - called at most once, where nobody has asked for the page before
   * @param isAbandoned - looked at before each wait
   * @returns false when it was abandoned before the page came
   */
  wait(page: number, ask: () => void, isAbandoned: () => boolean): boolean {
    const { words } = this
    for (;;) {
      const state = Atomics.load(words, page)
      if (state === 0) return true
      if (isAbandoned()) return false
      if ((state & awaited) === 0) {
        if (Atomics.compareExchange(words, page, state, state | awaited) !== state) continue
        // What is being installed needs no asking.
        if ((state & arriving) === 0) ask()
      }
      Atomics.wait(words, page, state | awaited)
    }
  }

  /**
   * Notes that a thread waits for a page elsewhere: nobody is to be woken here when it comes.
   *
   * @returns whether to ask for the page: nobody has, and nobody is about to install it
   */
  request(page: number): boolean {
    const { words } = this
    for (;;) {
      const state = Atomics.load(words, page)
      if (state === 0 || (state & requested) !== 0) return false
      if (Atomics.compareExchange(words, page, state, state | requested) !== state) continue
      return (state & arriving) === 0
    }
  }

  /**
   * Whether a page may be installed now, and nobody else may.
   *
   * @returns false when it is there, or somebody else is about to install it
   */
  claim(page: number): boolean {
    const { words } = this
    for (;;) {
      const state = Atomics.load(words, page)
      if (state === 0 || (state & arriving) !== 0) return false
      if (Atomics.compareExchange(words, page, state, state | arriving) === state) return true
    }
  }

  /**
   * A page was installed: whoever waits for it goes on. Where nobody waits here, this never blocks:
   * `Atomics.notify` would, while any thread of the process faults within `Atomics.wait`.
   */
  arrived(page: number): void {
    const state = Atomics.exchange(this.words, page, 0)
    if ((state & awaited) !== 0) Atomics.notify(this.words, page)
  }

  /** Nobody installs pages any more: those that were claimed may be claimed again. */
  releaseClaims(): void {
    const { words } = this
    for (let page = 0; page < words.length; page++) {
      if ((Atomics.load(words, page) & arriving) !== 0) Atomics.and(words, page, ~arriving)
    }
  }

  /** Pages that are not there, in runs. */
  missingRuns(): PageRun[] {
    const { words } = this
    const runs: PageRun[] = []
    for (let page = 0; page < words.length; page++) {
      if (this.isPresent(page)) continue
      const firstPage = page
      while (page + 1 < words.length && !this.isPresent(page + 1)) page++
      runs.push({ firstPage, pageCount: page + 1 - firstPage })
    }
    return runs
  }

  /** Calls `tell` with every page that threads wait for. */
  eachAwaited(tell: (page: number) => void): void {
    for (let page = 0; page < this.words.length; page++) {
      if ((Atomics.load(this.words, page) & (awaited | requested)) !== 0) tell(page)
    }
  }

  /** Has all threads look whether they were abandoned that wait, or are just about to. */
  wakeAll(): void {
    for (let page = 0; page < this.words.length; page++) this.#wake(page)
  }

  #wake(page: number): void {
    const { words } = this
    for (;;) {
      const state = Atomics.load(words, page)
      if (state === 0) return
      // A thread that looked before this and waits after it must find another number.
      if (Atomics.compareExchange(words, page, state, state + wakeStep) !== state) continue
      if ((state & awaited) !== 0) Atomics.notify(words, page)
      return
    }
  }
}
