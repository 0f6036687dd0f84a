// quiesce on fastify: one call, as its README says.
import { quiesce } from "quiesce/promise"
import { listen, makeApp } from "./fastifyApp.mjs"

const app = await makeApp()
quiesce(app, { signals: true })
await listen(app)
