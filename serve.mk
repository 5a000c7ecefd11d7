.PHONY: bench-load test-api

bench-load: install ## the service under load, beside Engine.predict; TRACE=FOLDER adds the Azure trace
	$(BIN)/python -m benchmarks.load.figures $(if $(TRACE),--trace $(TRACE))

test-api: install ## schemathesis with many requests for every route
	SCHEMA_EXAMPLES=300 $(BIN)/python -m pytest -q tests/http/test_schema.py

.PHONY: lab-infinity bench-swaps bench-peers

lab-infinity: .lab/infinity/.installed ## infinity in an environment of its own, for bench-peers

bench-peers: install lab-infinity ## the service beside infinity, same model and texts
	$(BIN)/python -m benchmarks.load.peers

bench-swaps: install ## 10,000 requests while models are swapped and workers die
	$(BIN)/python -m benchmarks.load.swaps
