// fastify with `close()`, which is what its documentation has for the end. It leaves the signal to the program.
// https://fastify.dev/docs/latest/Reference/Server/#close
import { listen, makeApp } from "./fastifyApp.mjs"

const app = await makeApp()
await listen(app)

process.on("SIGTERM", () => void app.close())
