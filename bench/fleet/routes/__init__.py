"""The calls of the API, one file for each noun."""

from bench.fleet.routes import blobs, jobs, leases, runners, tokens

ROUTERS = (tokens.router, runners.router, blobs.router, jobs.router, leases.router)
