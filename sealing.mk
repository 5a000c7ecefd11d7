.PHONY: bench-seal test-seal test-model-signing

bench-seal: install ## seconds and memory of a sealed load beside the plain one
	$(BIN)/python -m benchmarks.sealing

test-seal: install ## 10,000 mutations of a sealed bundle and 1,000 races
	SEAL_MUTATIONS=10000 SEAL_RACES=1000 $(BIN)/python -m pytest -q tests/sealing/test_tampering.py
