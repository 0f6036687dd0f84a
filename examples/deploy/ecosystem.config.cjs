// npm run build && pm2 start ecosystem.config.cjs
module.exports = {
  apps: [
    {
      name: "app",
      script: "dist/server.js",
      // `pm2 reload` goes on when the app says that it is ready
      wait_ready: true,
      listen_timeout: 10_000,
      // Shutdown.docker({ stopTimeout: "10 seconds" }); the default, 1.6 seconds, cuts
      kill_timeout: 10_000,
      // also where there are no signals, as on Windows
      shutdown_with_message: true,
      env: { NODE_ENV: "production", DEPLOYED_BY: "pm2" }
    }
  ]
}
