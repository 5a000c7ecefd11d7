"""How does the service behave under load? Open loop: requests are sent when a schedule says so, and a request's
latency counts from that moment, so that a slow server cannot hide its queue."""
