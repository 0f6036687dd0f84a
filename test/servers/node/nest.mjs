// NestJS with `enableShutdownHooks()`, as its documentation says.
// https://docs.nestjs.com/fundamentals/lifecycle-events#application-shutdown
import { listen, makeApp } from "./nestApp.mjs"

const app = await makeApp()
app.enableShutdownHooks()
await listen(app)
