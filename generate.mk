# Models that write: speed, and streams that are left.
.PHONY: bench-decode bench-streams

bench-decode: install ## decoding beside a bare onnxruntime-genai loop and transformers, one stream and eight; makes a model first
	$(BIN)/python -m benchmarks.decoder_model
	$(BIN)/python -m benchmarks.decode

bench-streams: install ## 1,000 streams through the service, half of them left by their clients
	$(BIN)/python -m benchmarks.streams
