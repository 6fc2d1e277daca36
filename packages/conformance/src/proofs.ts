/**
 * Clauses that nobody can see from the network: what proves them for Godwit's own agents. Another
 * implementation has to prove them by itself.
 *
 * @module
 */

/** A test, or a vector, of Godwit's repository. */
export interface Proof {
  readonly clause: string
  readonly file: string
  /** As the file has it. */
  readonly title: string
}

const proof = (file: string, title: string, ...clauses: readonly string[]): readonly Proof[] => {
  return clauses.map((clause) => ({ clause, file, title }))
}

const endToEnd = 'test/end-to-end'
const codec = 'packages/codec/src'
const session = 'packages/session/src'
const vectors = 'test/conformance/vectors'

const strangers = `${endToEnd}/strangers.test.ts`
const sealing = 'packages/godwit/src/sealing.test.ts'
const owning = `${endToEnd}/ownership.test.ts`
const statics = `${endToEnd}/static-pages.test.ts`
const probing = `${endToEnd}/static-hostile.test.ts`
const named = `${codec}/static-pages.test.ts`
const killed = `${endToEnd}/ownership-command.test.ts`

/** In the order of the specification, more or less. */
export const proofs: readonly Proof[] = [
  ...proof(owning, 'leaves the guest here where the destination refused it: %s', 'C7.17'),
  ...proof(owning, 'leaves it to an operator whether its copy goes on: %s', 'C7.21'),
  ...proof(
    killed,
    'and is started again has refused the guest, which goes on at the source: %s',
    'C7.23',
    'C7.24',
  ),
  ...proof(
    killed,
    'says so when it is started again, and nobody starts the guest but an operator: %s',
    'C7.26',
  ),
  ...proof(strangers, 'refuses who speaks the plain protocol', 'C2.20', 'C12.12'),
  ...proof(strangers, 'refuses who has another key, or comes in another way', 'C12.1', 'C12.10'),
  ...proof(strangers, 'lets in who has it, and begins nothing before', 'C12.6'),
  ...proof(strangers, 'drops who says %s and then nothing', 'C12.13'),
  ...proof(sealing, 'hear what the other says, and nobody on the way does', 'C2.19', 'C12.3'),
  ...proof(sealing, 'takes no proof of the destination for one of the source', 'C12.5'),
  ...proof(sealing, 'changes nothing of a record unnoticed: %s', 'C12.7'),
  ...proof(sealing, 'makes nobody hold a record of any length', 'C12.8'),
  ...proof(sealing, 'cuts no end off unnoticed', 'C12.9'),
  ...proof(sealing, 'refuses nothing in the name of the destination', 'C12.11'),
  ...proof('test/conformance/sealing.test.ts', 'the source: $name', 'C12.2', 'C12.4'),
  ...proof(`${endToEnd}/security.test.ts`, 'takes at most two round trips more', 'C12.14'),
  ...proof(`${endToEnd}/cancel.test.ts`, 'from the destination', 'C8.5'),
  ...proof(
    `${endToEnd}/versions.test.ts`,
    'that is the next one moves its guest, by this version',
    'C4.64',
    'C4.65',
  ),
  ...proof(
    `${endToEnd}/versions.test.ts`,
    'that is a later one still, %i, is refused, and both sides are told why',
    'C4.66',
  ),
  ...proof(
    `${endToEnd}/versions.test.ts`,
    'has keys, capabilities and frames that this one passes over: %s',
    'C4.67',
  ),
  ...proof(
    `${endToEnd}/serving-deadline.test.ts`,
    'is given up after 10 s; one that has said what it brings is not',
    'C9.10',
  ),
  ...proof(
    `${endToEnd}/timeout.test.ts`,
    'cuts a round short; the rest goes in the pause: %o',
    'C6.115',
  ),
  ...proof('packages/transport/src/listener.test.ts', 'one port takes TCP and WebSocket', 'C1.3'),
  ...proof(
    `${endToEnd}/post-copy-failure.test.ts`,
    'leaves the guest there, waiting: %s %s %s %s',
    'C4.58',
    'C7.6',
    'C7.8',
  ),
  ...proof(`${vectors}/batches-packed.json`, 'zstd, a window of 8 MiB', 'C5.5', 'C5.6', 'C9.4'),
  ...proof(
    `${codec}/rounds.property.test.ts`,
    'gives a typed error or installs, and writes to the region alone',
    'C5.28',
  ),
  ...proof(`${vectors}/batches-rich.json`, 'same-as, 1026 pages', 'C5.31'),
  ...proof(
    `${codec}/placed-pages.test.ts`,
    'that names guest memory is asked for again: %s',
    'C5.36',
  ),
  ...proof(
    `${codec}/rich-encoder.property.test.ts`,
    'memory is the same after any rounds, whatever lanes encode with',
    'C5.44',
    'C5.45',
  ),
  ...proof(`${endToEnd}/rounds.test.ts`, 'arrives whatever it is (seed %i)', 'C6.4'),
  ...proof(`${endToEnd}/select.test.ts`, 'arrives whole: %s', 'C6.116'),
  ...proof(`${endToEnd}/select.test.ts`, 'what is held follows it in post-copy: %s, %s', 'C6.117'),
  ...proof(`${endToEnd}/classes.test.ts`, 'whatever becomes of them: %i, %s, %s, %i, %s', 'C6.118'),
  ...proof(
    `${endToEnd}/working-set.test.ts`,
    'never leaves the rest to the pause, whichever rule ends the rounds',
    'C6.10',
    'C6.11',
  ),
  ...proof(
    `${endToEnd}/post-copy-recovery.test.ts`,
    'is made again: %s %s %s %s (%i)',
    'C6.45',
    'C6.50',
    'C6.62',
    'C6.69',
  ),
  ...proof(
    'packages/link/src/control-link.test.ts',
    'does not keep what a peer says that does not wait for an answer',
    'C6.52',
  ),
  ...proof(
    `${endToEnd}/recovery-hostile.test.ts`,
    'keeps nothing of connections that are over',
    'C6.53',
  ),
  ...proof(
    `${session}/recovery.test.ts`,
    'that is whole stays so, and says again how the guest ended',
    'C6.75',
  ),
  ...proof(
    'packages/source/src/checkpoint-store.test.ts',
    'puts the pages that came last in place, and not before it is told',
    'C6.82',
  ),
  ...proof(
    'packages/source/src/checkpoint-store.test.ts',
    'keeps nothing of one that was not whole, whatever is begun after it',
    'C6.83',
  ),
  ...proof('packages/source/src/checkpoint-store.test.ts', 'refuses what is out of turn', 'C6.84'),
  ...proof(
    'packages/destination/src/lane.test.ts',
    'a source that never reads what it is asked for ends, round by round though it goes on',
    'C6.102',
  ),
  ...proof(
    `${session}/one-owner.property.test.ts`,
    'with the link cut at any time there are never two, and the source never guesses',
    'C7.1',
    'C7.3',
    'C7.5',
  ),
  ...proof(
    `${endToEnd}/takeover.test.ts`,
    'goes on from the last whole checkpoint, and from no other',
    'C7.10',
  ),
  ...proof(
    `${endToEnd}/takeover.test.ts`,
    'is refused where the destination may be alive',
    'C7.11',
  ),
  ...proof(`${endToEnd}/failure.test.ts`, 'moves in the end', 'C7.13'),
  ...proof(`${vectors}/static.json`, 'plain', 'C13.1', 'C13.3'),
  ...proof(probing, 'hears as much as where nobody knows of any', 'C13.2'),
  ...proof(statics, 'where looking takes too long', 'C13.10'),
  ...proof(statics, 'is told of beside a map, one behind the other', 'C5.54', 'C13.15'),
  ...proof(
    named,
    'go as numbers, each counted from the one before, in batches of their own',
    'C13.16',
  ),
  ...proof(named, '%s', 'C13.17'),
  ...proof(
    named,
    'of a short page is refused, and where nothing was agreed, and where it is cut',
    'C13.18',
  ),
  ...proof(named, 'are told apart by %s', 'C13.20'),
  ...proof(statics, 'may change after it was looked at: then pages come as they are', 'C13.21'),
  ...proof(statics, 'is handed over with the guest, and told nobody else', 'C13.22'),
  ...proof(probing, 'hears what is held of it, and of nothing else', 'C13.23'),
]
