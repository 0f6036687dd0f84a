import { describe, expect, it } from "vitest"
import { limit, withProgram } from "./registered.js"

// What the environment says is looked at before the first connection is accepted.

describe.concurrent("a program is not started", { timeout: 90_000 }, () => {
  for (
    const [what, env, says] of [
      ["with a value that cannot be", { SHUTDOWN_TIMEOUT: "soon" }, /SHUTDOWN_TIMEOUT.*"soon".* is not a duration/],
      [
        "with a setting that is misspelt",
        { SHUTDOWN_TIMEOUTT: "1 second" },
        /SHUTDOWN_TIMEOUTT.*did you mean SHUTDOWN_TIMEOUT/
      ],
      ["with a switch that says neither", { QUIESCE: "of" }, /QUIESCE is "of", and must be "off", or "on"/],
      ["with a port that is none", { SHUTDOWN_ADMIN_PORT: "65536" }, /SHUTDOWN_ADMIN_PORT.*"65536" is not a port/],
      [
        "with a setting of the admin listener that is misspelt",
        { SHUTDOWN_ADMIN_PROT: "9000" },
        /SHUTDOWN_ADMIN_PROT.*did you mean SHUTDOWN_ADMIN_PORT/
      ],
      [
        "with two places for one listener",
        { SHUTDOWN_ADMIN_PORT: "0", SHUTDOWN_ADMIN_PATH: "/tmp/admin.sock" },
        /SHUTDOWN_ADMIN_PATH.*there is one admin listener/
      ],
      [
        "with actions for every host",
        { SHUTDOWN_ADMIN_PORT: "0", SHUTDOWN_ADMIN_ACTIONS: "true", SHUTDOWN_ADMIN_ALLOWED_HOSTS: "all" },
        /SHUTDOWN_ADMIN_ALLOWED_HOSTS.*DNS rebinding/
      ],
      [
        "with values that do not go together",
        { SHUTDOWN_TIMEOUT: "10", SHUTDOWN_IDLE_GRACE: "keepAliveTimeout" },
        /timeout.*1 second or more/
      ]
    ] as const
  ) {
    it(`${what}, and stderr says why`, () =>
      withProgram({ handlers: ["stays"], alive: true }, async (child) => {
        expect(await child.exit(limit)).toMatchObject({ code: 1, signal: null })
        expect(child.stderr()).toMatch(says)
        expect(child.stderr()).toMatch(/^quiesce\/register: .* The program is not started; with QUIESCE=off, it runs/)
      }, { env }))
  }
})

it(
  "a program that has silenced its console has silenced its own lines alone",
  { timeout: 90_000 },
  () =>
    withProgram({ quiet: true }, async (child) => {
      await child.listening()
      child.signal("SIGTERM")
      expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
      expect(child.stdout()).toContain("Shutting down: draining for up to 8s;")
    })
)

it("the policy is taken from it", { timeout: 90_000 }, () =>
  withProgram({}, async (child) => {
    await child.listening()
    child.signal("SIGTERM")
    expect(await child.exit(limit)).toMatchObject({ code: 0, signal: null })
    expect(child.stdout()).toContain("Shutting down: serving on for 200ms, then draining for up to 3s;")
  }, { env: { SHUTDOWN_LAME_DUCK: "200 millis", SHUTDOWN_TIMEOUT: "3 seconds" } }))
