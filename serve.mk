.PHONY: bench-load test-api

bench-load: install ## the service under load, beside Engine.predict; TRACE=FOLDER adds the Azure trace
	$(BIN)/python -m benchmarks.load.figures $(if $(TRACE),--trace $(TRACE))

test-api: install ## schemathesis with many requests for every route
	SCHEMA_EXAMPLES=300 $(BIN)/python -m pytest -q tests/http/test_schema.py
