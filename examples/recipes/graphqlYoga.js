// graphql-yoga on node:http. Its subscriptions are event streams: quiesce ends them whole, and their clients come back.
//
//   node graphqlYoga.js
//   curl -H "accept: text/event-stream" "localhost:3000/graphql?query=subscription\{ticks\}"       and Ctrl-C the server
import { createSchema, createYoga } from "graphql-yoga"
import { createServer } from "node:http"
import { setInterval, setTimeout } from "node:timers/promises"
import { quiesce } from "quiesce/promise"

async function* ticks() {
  let count = 0
  for await (const _ of setInterval(200)) yield { ticks: count++ }
}

const yoga = createYoga({
  schema: createSchema({
    typeDefs: `type Query { hello: String  slow: String }  type Subscription { ticks: Int }`,
    resolvers: {
      Query: { hello: () => "hello", slow: () => setTimeout(1000, "hello, one second later") },
      Subscription: { ticks: { subscribe: ticks } }
    }
  }),
  // it would listen for the signals as well
  disposeOnProcessTerminate: false
})

const nodeServer = createServer(yoga)
quiesce(nodeServer, { signals: true, finally: () => yoga.dispose() })
nodeServer.listen(Number(process.env.PORT ?? 3000), "127.0.0.1")
