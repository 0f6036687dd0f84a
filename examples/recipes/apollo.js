// Apollo Server on express. `app.use` needs it started; quiesce stops the HTTP server, then Apollo stops.
//
//   node apollo.js
//   curl -H "content-type: application/json" -d '{"query":"{ slow }"}' localhost:3000/graphql       and Ctrl-C the server
import { ApolloServer } from "@apollo/server"
import { expressMiddleware } from "@as-integrations/express5"
import express from "express"
import { setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

const apollo = new ApolloServer({
  typeDefs: `type Query { hello: String  slow: String }`,
  resolvers: { Query: { hello: () => "hello", slow: () => setTimeout(1000, "hello, one second later") } },
  // it would answer the signal itself, and end the process under running requests
  stopOnTerminationSignals: false
})
await apollo.start()

const app = express()
app.get("/", (_, response) => response.send("hello\n"))
app.use("/graphql", express.json(), expressMiddleware(apollo))

const nodeServer = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")

// `ApolloServerPluginDrainHttpServer` is not wanted: it closes the same server, by other rules
quiesce(nodeServer, { signals: true, finally: () => apollo.stop() })
