/**
 * Policies of one's own: `godwit send GUEST --to HOST:PORT --policy docs/examples/policy.ts`, or
 * `send(guest, { to, policy })`. All four parts are optional. `docs/POLICIES.md` explains them.
 *
 * @module
 */
import type { Policy } from 'godwit'

/** A pause that nobody notices. */
const pauseMs = 100
/** What backups and others of this link can do without, in bytes per second. */
const byDay = 50e6
const megabyte = 1e6

const policy: Policy = {
  name: 'careful',

  /** Pages that were stored to in both of the last two rounds wait; the others go. */
  select: {
    name: 'twice-in-a-row',
    text: 'twice-in-a-row',
    create(wordCounts) {
      const last = wordCounts.map((count) => new Uint32Array(count))
      return {
        watchesStores: true,
        patienceRounds: 2,
        peekMs: 50,
        drops: [],
        peeks: () => false,
        select(region, fresh, lacking, send) {
          const before = last[region]!
          // 32 pages at a time: a bit for each.
          for (let word = 0; word < send.length; word++) {
            send[word] = lacking[word]! & ~(fresh[word]! & before[word]!)
          }
          before.set(fresh)
        },
      }
    },
  },

  /** The first that fires ends the rounds. */
  stop: [
    {
      name: 'short-pause',
      text: `short-pause=${pauseMs}ms`,
      evaluate({ dirtyBytes, pauseBandwidth }) {
        const expectedMs = pauseBandwidth > 0 ? (dirtyBytes / pauseBandwidth) * 1e3 : Infinity
        if (expectedMs > pauseMs) return undefined
        return { rule: 'short-pause', numbers: { expectedMs, pauseMs } }
      },
    },
    {
      name: 'enough',
      text: 'enough=12',
      evaluate: ({ round, dirtyPages }) =>
        round < 12 ? undefined : { rule: 'enough', numbers: { round, dirtyPages } },
    },
  ],

  /** Careful at first, more with every round, and all there is once the guest stands still. */
  bandwidth: {
    name: 'rising',
    setting: `rising,from=${byDay / megabyte}MB`,
    measuresLink: false,
    grant: ({ round, isLast }) => (isLast ? Infinity : byDay * round),
  },

  /** From the moment a round leaves more than it has sent, the guest has a tenth less each time. */
  throttle: {
    name: 'gentle',
    setting: 'gentle,max=50',
    next: (share, { sentBytes, dirtyBytes }) =>
      dirtyBytes <= sentBytes ? share : Math.min(0.5, share + 0.1),
  },
}

export default policy
