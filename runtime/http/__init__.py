"""The HTTP service: the only place that knows of ASGI, uvicorn and Starlette. `server.run(settings)` starts it."""
