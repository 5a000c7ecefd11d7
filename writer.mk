# A small model that writes text: trained on public texts, rounded, measured; and planted personal data around a model that echoes.
.PHONY: bench-writer bench-planted

bench-writer: install ## trains the small writer and measures int4, int8 and fp32 (DATA=folder with the data sets); minutes
	$(BIN)/python -m benchmarks.writer.train $(DATA) .work/writer
	$(BIN)/python -m benchmarks.writer.figures $(DATA) .work/writer .work/writer-bundle

bench-planted: install ## 10,000 requests with planted personal data through the service: none may reach the model
	$(BIN)/python -m benchmarks.planted $(COUNT)
