// quiesce on Next.js: a custom server, as the documentation of Next.js says, and one call on it.
// https://nextjs.org/docs/app/guides/custom-server
import next from "next"
import { createServer } from "node:http"
import { fileURLToPath } from "node:url"
import { quiesce } from "quiesce/promise"
import { address } from "./app.mjs"

const app = next({ dev: false, dir: fileURLToPath(new URL("./next", import.meta.url)) })
const handle = app.getRequestHandler()
await app.prepare()

const server = createServer((request, response) => void handle(request, response)).listen(address)

quiesce(server, { signals: true, finally: () => app.close() })
