// quiesce on `node:http`: one call, as its README says.
import { quiesce } from "quiesce/promise"
import { listen, makeServer } from "./nodeApp.mjs"

quiesce(listen(makeServer()), { signals: true })
