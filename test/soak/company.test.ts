import { expect, it } from "vitest"
import { allCompanions, playCompany } from "./company.js"

// Rule 12, under traffic: what nobody alone would show.

it("24 shutdowns in company lose nothing, and none is late", async () => {
  const seed = Date.now() % 1_000_000
  const played = await playCompany(24, seed)
  const failed = played.filter(({ failures }) => failures.length > 0)
  expect(failed, `seed ${seed}\n${failed.flatMap((each) => [JSON.stringify(each), ...each.failures]).join("\n")}`)
    .toEqual([])
  for (const name of allCompanions) {
    expect(played.filter(({ companions }) => companions.includes(name)).length, `${name}, seed ${seed}`)
      .toBeGreaterThan(0)
  }
}, 300_000)
