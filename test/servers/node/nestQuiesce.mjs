// quiesce on NestJS: one call on its Node server, as quiesce's README says; `app.close()` runs the hooks of the app.
import { quiesce } from "quiesce/promise"
import { listen, makeApp } from "./nestApp.mjs"

const app = await makeApp()
quiesce(app.getHttpServer(), { signals: true, finally: () => app.close() })
await listen(app)
