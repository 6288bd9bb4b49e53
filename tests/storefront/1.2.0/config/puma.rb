bind "tcp://127.0.0.1:#{ENV.fetch("PORT", 3000)}"
workers Integer(ENV.fetch("WORKERS", 0))
threads 1, Integer(ENV.fetch("THREADS", 5))
environment ENV.fetch("RACK_ENV", "production")
