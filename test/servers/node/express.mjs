// express as it is: nothing listens for the signal, so it ends the process.
// https://expressjs.com/en/starter/hello-world.html
import { start } from "./expressApp.mjs"

start()
