# Redaction: benchmarks and fuzzing. DATA names the folder with the data sets (see benchmarks/redaction/README.md).
.PHONY: bench-redaction redaction-compare fuzz

bench-redaction: install ## speed, recall, evasion, look-alikes and streams of redaction (DATA=folder for the labelled data)
	$(BIN)/python benchmarks/redaction/speed.py $(if $(DATA),--data $(DATA))
	$(BIN)/python benchmarks/redaction/evasion.py
	$(BIN)/python benchmarks/redaction/lookalikes.py
	$(if $(DATA),$(BIN)/python benchmarks/redaction/recall.py --data $(DATA))
	$(if $(DATA),$(BIN)/python benchmarks/redaction/streams.py --data $(DATA))

redaction-compare: install ## Presidio beside Cloister: speed, recall, precision, evasion (DATA=folder)
	$(BIN)/python benchmarks/redaction/speed.py --presidio $(if $(DATA),--data $(DATA))
	$(BIN)/python benchmarks/redaction/evasion.py
	$(BIN)/python benchmarks/redaction/evasion.py --presidio --count 4
	$(if $(DATA),$(BIN)/python benchmarks/redaction/recall.py --data $(DATA) --presidio)

fuzz: install ## feeds generated texts to redaction for ten minutes with atheris
	$(PIP) install -q atheris
	$(BIN)/python benchmarks/redaction/fuzz.py -max_total_time=600
