import fastify from "fastify"
import { answer, closed, executed, fastifyOptions, listening, options } from "../servers/app.mjs"

const app = fastify({ ...fastifyOptions, return503OnClosing: process.env.BENCH_RETURN_503 !== "false" })

app.get("/", (request) => {
  executed(request.headers["x-id"])
  return "hello"
})
for (const path of ["/wait/:ms", "/big"]) app.get(path, (request) => answer(request.url, request.headers["x-id"]))
app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => done(null, body))
app.post("/post", (request) => answer("/post", request.headers["x-id"]))

await app.listen(options)
listening(app.server.address().port)

process.once("SIGTERM", () => void app.close().then(closed))
