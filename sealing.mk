.PHONY: bench-seal test-seal test-model-signing

bench-seal: install ## seconds and memory of a sealed load beside the plain one
	$(BIN)/python -m benchmarks.sealing

test-seal: install ## 10,000 mutations of a sealed bundle and 1,000 races
	SEAL_MUTATIONS=10000 SEAL_RACES=1000 $(BIN)/python -m pytest -q tests/sealing/test_tampering.py

test-model-signing: install ## installs model-signing and checks its signature of a sealed folder with it
	$(PIP) install -q -c constraints.txt -e '.[model-signing]'
	$(BIN)/python -m pytest -q tests/sealing/test_model_signing.py
