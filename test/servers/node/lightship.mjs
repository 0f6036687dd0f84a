// lightship as its README says: it listens for SIGTERM, and the handler that it runs closes the server.
// https://github.com/gajus/lightship#usage-examples
import { createLightship } from "lightship"
import { start } from "./expressApp.mjs"

const lightship = await createLightship()
const server = start().on("listening", () => lightship.signalReady())

lightship.registerShutdownHandler(() => void server.close())
