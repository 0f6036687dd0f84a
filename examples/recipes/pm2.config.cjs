// `pm2 reload` starts the next worker, waits until it is ready, and sends the old one SIGINT
module.exports = {
  apps: [
    {
      name: "app",
      script: "pm2.js",
      exec_mode: "cluster",
      instances: 2,
      // drains it, and says "ready" when it listens
      node_args: "--import quiesce/register",
      wait_ready: true,
      listen_timeout: 10_000,
      // the policy takes 0 + 8 + 1 seconds; the default, 1.6 seconds, cuts
      kill_timeout: 10_000
    }
  ]
}
