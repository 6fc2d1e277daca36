/**
 * A guest whose stores somebody marks, as a kernel does for another process: all marks are cleared
 * when a migration begins, and never again.
 *
 * @module
 */
import { PageBitmap, pagesCovering, type StoreMarks } from '@godwit/core'
import { ShadowGuest } from './shadow.ts'

/** Like its parent; the marks are those of a test. */
export class MarkedGuest extends ShadowGuest {
  readonly marks: StoreMarks
  /** Set by a test: marks do not count from here on. */
  lost: string | undefined
  /** How often marks were cleared, and asked for. */
  begins = 0
  looks = 0
  /** Stores that are not marked: by them a test sees that nothing else is looked at. */
  isBlind = false
  readonly #marked: readonly PageBitmap[]

  constructor(memory: readonly Uint8Array[]) {
    super(memory)
    this.#marked = memory.map(({ length }) => {
      return new PageBitmap(pagesCovering(length, this.pageBytes))
    })
    const lost = (): string | undefined => this.lost
    this.marks = {
      name: 'soft-dirty',
      lacking: undefined,
      get lost() {
        return lost()
      },
      begin: () => {
        this.begins++
        this.lost = undefined
        for (const marked of this.#marked) marked.clear()
      },
      findUnmarked: (pageBytes) => this.#findUnmarked(pageBytes),
    }
  }

  override store(region: number, at: number, bytes: Uint8Array): void {
    super.store(region, at, bytes)
    if (this.isBlind) return
    const last = Math.floor((at + bytes.length - 1) / this.pageBytes)
    for (let page = Math.floor(at / this.pageBytes); page <= last; page++) {
      this.#marked[region]!.add(page)
    }
  }

  #findUnmarked(pageBytes: number): readonly PageBitmap[] | undefined {
    this.looks++
    if (pageBytes !== this.pageBytes) throw new Error(`pages of ${pageBytes} bytes`)
    if (this.lost !== undefined) return undefined
    return this.#marked.map((marked) => {
      const unmarked = PageBitmap.shared(marked.pageCount)
      unmarked.addAll()
      unmarked.removeAll(marked)
      return unmarked
    })
  }
}
