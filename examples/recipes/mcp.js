// A Model Context Protocol server over HTTP, without sessions: each call is a request of its own, so that any instance
// can answer the next one while this one drains.
//
//   node mcp.js
//   curl -H "content-type: application/json" -H "accept: application/json, text/event-stream" localhost:3000/mcp -d \
//     '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow","arguments":{}}}'
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import express from "express"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const makeServer = () => {
  const server = new McpServer({ name: "hello", version: "1.0.0" })
  server.registerTool("slow", { description: "Says hello, one second later" }, async () => {
    await setTimeout(1000)
    return { content: [{ type: "text", text: "hello" }] }
  })
  return server
}

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.post("/mcp", express.json(), async (request, response) => {
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  const server = makeServer()
  // the transport's own stream ends with its request: nothing is left to close at the end
  response.on("close", () => void server.close())
  await server.connect(transport)
  await transport.handleRequest(request, response, request.body)
})
// a client that asks for a stream of its own has none here
app.get("/mcp", (_, response) => response.status(405).send())

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
quiesce(nodeServer, { signals: true })
