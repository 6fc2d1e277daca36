import { expect, test } from 'vitest'
import { FakeClock } from './fake-clock.ts'

test('tasks run in the order of their times, those set on the way included', () => {
  const clock = new FakeClock(100)
  const ran: string[] = []
  const note = (name: string) => () => {
    ran.push(`${name}@${clock.nowMs()}`)
  }
  clock.after(30, note('c'))
  clock.after(10, () => {
    note('a')()
    clock.after(10, note('b'))
  })
  clock.after(30, note('d'))
  clock.after(31, note('late'))
  const cancel = clock.after(5, note('cancelled'))
  cancel()
  clock.advance(30)
  expect(ran).toEqual(['a@110', 'b@120', 'c@130', 'd@130'])
  expect(clock.nowMs()).toBe(130)
  expect(clock.timerCount).toBe(1)
})
